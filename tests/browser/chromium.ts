// A real Chromium from npm, and a page in it that runs one bundled script.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium as emulated } from '@frugal/test-support';
import chromium from '@sparticuz/chromium';
import { build } from 'esbuild';
import { type Browser, chromium as playwright } from 'playwright-core';
import { type Rollup, build as viteBuild } from 'vite';
import { bundleSuites } from '../portable/bundle.ts';

const here = dirname(fileURLToPath(import.meta.url));
const binaries = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export function launchChromium(): Promise<Browser> {
  return chromium.executablePath().then((executablePath) =>
    playwright.launch({
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
      executablePath,
      headless: true,
    }),
  );
}

/** With WebGPU and WebGL on SwiftShader. */
export async function launchEmulated(): Promise<Browser> {
  const { executablePath, env, args } = await emulated();
  return playwright.launch({ executablePath, env, args: [...args] });
}

/** One classic script, by path. */
async function byEsbuild(entry: string): Promise<Map<string, string>> {
  const { outputFiles } = await build({
    entryPoints: [join(here, entry)],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    conditions: ['@frugal/source'],
    logLevel: 'error',
  });
  return new Map([['/script.js', outputFiles[0]!.text]]);
}

/** A module, and the ones that it imports late. */
async function byVite(entry: string): Promise<Map<string, string>> {
  const result = await viteBuild({
    root: here,
    configFile: false,
    logLevel: 'error',
    resolve: { conditions: ['@frugal/source', 'module', 'browser', 'production'] },
    build: {
      write: false,
      rollupOptions: {
        input: join(here, entry),
        preserveEntrySignatures: 'strict',
        output: { entryFileNames: 'script.js', chunkFileNames: '[name]-[hash].js' },
      },
    },
  });
  const { output } = (Array.isArray(result) ? result[0]! : result) as Rollup.RollupOutput;
  return new Map(output.flatMap((file) => (file.type === 'chunk' ? [[`/${file.fileName}`, file.code]] : [])));
}

/** One classic script with suites in it. */
async function withSuites(entry: string, suites: readonly string[]): Promise<Map<string, string>> {
  return new Map([['/script.js', await bundleSuites({ platform: 'browser', entry: join(here, entry), suites })]]);
}

/**
 * Serves a page that runs `entry` (a file beside this one) as `/script.js`; cross-origin isolated with `?isolated`.
 *
 * @param bundler Or the suites that `entry` imports from `portable:suites`.
 */
export async function servePage(
  entry: string,
  bundler: 'esbuild' | 'vite' | readonly string[] = 'esbuild',
): Promise<{ url: string; close(): void }> {
  const scripts = await (bundler === 'vite'
    ? byVite(entry)
    : bundler === 'esbuild'
      ? byEsbuild(entry)
      : withSuites(entry, bundler));
  const type = bundler === 'vite' ? ' type="module"' : '';
  const respond = async (path: string): Promise<[type: string, body: string | Buffer]> => {
    if (path.endsWith('.wasm')) return ['application/wasm', await readFile(join(binaries, path))];
    if (scripts.has(path)) return ['text/javascript', scripts.get(path)!];
    return ['text/html', `<!doctype html><script${type} src="/script.js"></script>`];
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    const isolated = searchParams.has('isolated') || /isolated/.test(request.headers.referer ?? '');
    respond(pathname).then(
      ([type, body]) => response.writeHead(200, { 'Content-Type': type, ...(isolated && isolation) }).end(body),
      () => response.writeHead(404).end(),
    );
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => server.close() };
}
