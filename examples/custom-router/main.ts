import { main } from '@frugal/example-support/node';
import { runCustomRouter } from './run.ts';

await main(runCustomRouter, {});
