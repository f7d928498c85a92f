#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { main } from '../dist/node/cli.js';

const status = await main(process.argv.slice(2), [fileURLToPath(import.meta.url)]);
// A backend may hold threads or a device, so the process is ended, not left; but not before all is written.
process.stdout.write('', () => process.exit(status));
