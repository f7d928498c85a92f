// Bundles suites with everything they need into one module that runs without packages, in Node or in a page.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');

/** Where the module runs and what it says of itself. */
export interface BundleOptions {
  readonly platform: 'node' | 'browser';
  /** The file that starts it; it imports suites from `portable:suites`. */
  readonly entry: string;
  readonly suites: readonly string[];
  readonly define?: Readonly<Record<string, string>>;
}

/** Leads imports of what needs an installation to what does not. */
function portable(suites: readonly string[]): Plugin {
  const replaced: Readonly<Record<string, string>> = {
    vitest: join(here, 'vitest.ts'),
    '@frugal/test-support': join(here, 'support.ts'),
  };
  return {
    name: 'portable',
    setup({ onResolve, onLoad }): void {
      onResolve({ filter: /^(vitest|@frugal\/test-support)$/ }, ({ path }) => ({ path: replaced[path]! }));
      onResolve({ filter: /support\/webgpu\.ts$/ }, () => ({ path: join(here, 'backends.ts') }));
      onResolve({ filter: /^portable:suites$/ }, ({ path }) => ({ path, namespace: 'portable' }));
      onLoad({ filter: /./, namespace: 'portable' }, () => ({
        contents: `export const suites = {${suites.map((path) => `${JSON.stringify(path)}: () => import(${JSON.stringify(join(root, path))})`).join(',')}};`,
        resolveDir: root,
      }));
    },
  };
}

/** The text of the bundle: an ES module for Node, a classic script for a page. */
export async function bundleSuites({ platform, entry, suites, define }: BundleOptions): Promise<string> {
  const node = platform === 'node';
  const { outputFiles } = await build({
    entryPoints: [entry],
    write: false,
    bundle: true,
    format: node ? 'esm' : 'iife',
    platform,
    mainFields: ['module', 'main'],
    conditions: ['@frugal/source', ...(node ? ['node'] : ['browser'])],
    external: node ? ['webgpu'] : [],
    plugins: [portable(suites)],
    define: { 'process.env.FRUGAL_DEEP': 'undefined', ...define },
    banner: node
      ? {
          js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
        }
      : {},
    logLevel: 'error',
  });
  return outputFiles[0]!.text;
}
