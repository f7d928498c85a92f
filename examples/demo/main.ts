import { main } from '@frugal/example-support/node';
import { runDemo } from './run.ts';

await main(runDemo, { model: 'mlp' });
