import { main } from '@frugal/example-support/node';
import { runDynamicNets } from './run.ts';

await main(runDynamicNets, {});
