import { main } from '@frugal/example-support/node';
import { runMnist } from './run.ts';

await main(runMnist, { model: 'mlp' });
