// Runs one benchmark against the built packages: npm run bench -- NAME [--quick].
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run, setup } from './setup.mjs';

const [name, ...options] = process.argv.slice(2);
const names = readdirSync(join(root, 'benchmarks'))
  .filter((file) => file.endsWith('.ts') && file !== 'harness.ts')
  .map((file) => file.slice(0, -3));
if (!names.includes(name)) {
  console.error(
    `${name === undefined ? 'Which benchmark?' : `There is no benchmark '${name}'.`} Choose one of: ${names.join(', ')}.`,
  );
  process.exit(1);
}
setup({ build: true });
run(process.execPath, ['--import', 'tsx', join('benchmarks', `${name}.ts`), ...options]);
