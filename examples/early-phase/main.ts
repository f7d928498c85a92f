import { main } from '@frugal/example-support/node';
import { runEarlyPhase } from './run.ts';

await main(runEarlyPhase, { report: '' });
