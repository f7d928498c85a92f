import { main } from '@frugal/example-support/node';
import { runCustomOptimizer } from './run.ts';

await main(runCustomOptimizer, {});
