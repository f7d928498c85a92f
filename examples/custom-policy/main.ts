import { main } from '@frugal/example-support/node';
import { runCustomPolicy } from './run.ts';

await main(runCustomPolicy, {});
