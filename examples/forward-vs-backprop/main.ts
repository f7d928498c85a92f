import { main } from '@frugal/example-support/node';
import { runForwardVsBackprop } from './run.ts';

await main(runForwardVsBackprop, {});
