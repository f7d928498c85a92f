import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageNames, readReadme, root } from '@frugal/test-support';
import { beforeAll, describe, expect, it } from 'vitest';
import { emptyProject, packAll, runIn } from './project.ts';

const compilerOptions = {
  target: 'es2022',
  module: 'nodenext',
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: true,
  types: ['node'],
  rootDir: 'src',
  outDir: 'out',
};

let tarballs: Map<string, string>;
beforeAll(async () => {
  tarballs = await packAll();
});

/** Every entry point that a package exports, as import specifiers. */
function entries(name: string): string[] {
  const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as {
    exports: Record<string, unknown>;
  };
  return Object.keys(manifest.exports)
    .filter((path) => path !== './package.json')
    .map((path) => `@frugal/${name}${path.slice(1)}`);
}

describe.concurrent.each(packageNames())('the tarball of %s alone in an empty project', (name) => {
  it('compiles and runs its README snippet, loads by require, and bundles', async () => {
    const { install, snippets } = readReadme(join('packages', name));
    expect(install, `README of ${name}: the install line`).toContain(`@frugal/${name}`);
    expect(snippets.length, `README of ${name}: ts snippets`).toBeGreaterThan(0);
    const folder = await emptyProject(install, tarballs);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
    for (const [i, snippet] of snippets.entries()) writeFileSync(join(folder, 'src', `snippet${i}.ts`), snippet);
    await runIn(folder, process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.']);
    for (const i of snippets.keys()) await runIn(folder, process.execPath, [join('out', `snippet${i}.js`)]);

    const main = `@frugal/${name}`;
    writeFileSync(
      join(folder, 'required.cjs'),
      `if (Object.keys(require('${main}')).length === 0) throw new Error('nothing exported');`,
    );
    await runIn(folder, process.execPath, ['required.cjs']);

    const browser = entries(name).filter((entry) => !entry.endsWith('/node') && !entry.endsWith('/register'));
    writeFileSync(
      join(folder, 'page.js'),
      browser.map((entry, i) => `import * as m${i} from '${entry}'; console.log(m${i});`).join('\n'),
    );
    writeFileSync(join(folder, 'index.html'), '<script type="module" src="./page.js"></script>');
    const output = await runIn(folder, process.execPath, [
      'node_modules/vite/bin/vite.js',
      'build',
      '--logLevel',
      'warn',
    ]);
    expect(existsSync(join(folder, 'dist/index.html')), output).toBe(true);
    const bundle = readdirSync(join(folder, 'dist/assets')).map((file) =>
      readFileSync(join(folder, 'dist/assets', file), 'utf8'),
    );
    expect(bundle.join('').includes('__vite-browser-external'), 'a node: module in the browser bundle').toBe(false);
  });
});
