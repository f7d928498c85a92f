import { main } from '@frugal/example-support/node';
import { runPruneToATenth } from './run.ts';

await main(runPruneToATenth, {});
