#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { main } from '../dist/setup/cli.js';

const status = await main(process.argv.slice(2), [fileURLToPath(import.meta.url)]);
// TensorFlow holds threads, so the process is ended, not left; but not before all is written.
process.stdout.write('', () => process.exit(status));
