import { main } from '@frugal/example-support/node';
import { runGameOfLife } from './run.ts';

await main(runGameOfLife, {});
