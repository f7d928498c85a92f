import { main } from '@frugal/example-support/node';
import { runNodeGpu } from './run.ts';

await main(runNodeGpu, { backend: 'auto', model: 'mlp' });
