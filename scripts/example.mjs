// Runs one example from its sources: npm run example -- NAME [options]. Sets the workspace up first.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, setup } from './setup.mjs';

const [name, ...options] = process.argv.slice(2);
const names = readdirSync(join(root, 'examples')).filter((entry) =>
  existsSync(join(root, 'examples', entry, 'main.ts')),
);
if (!names.includes(name)) {
  console.error(
    `${name === undefined ? 'Which example?' : `There is no example '${name}'.`} Choose one of: ${names.join(', ')}.`,
  );
  process.exit(1);
}
const seconds = setup();
run(
  process.execPath,
  ['--conditions=@frugal/source', '--import', 'tsx', join('examples', name, 'main.ts'), ...options],
  {
    env: { FRUGAL_SETUP_SECONDS: seconds.toFixed(1) },
  },
);
