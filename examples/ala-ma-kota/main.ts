import { main } from '@frugal/example-support/node';
import { runAlaMaKota } from './run.ts';

await main(runAlaMaKota, { gpt: false });
