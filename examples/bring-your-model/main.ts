import { main } from '@frugal/example-support/node';
import { runBringYourModel } from './run.ts';

await main(runBringYourModel, {});
