// A real Chromium from npm, and a page in it that runs one bundled script.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import chromium from '@sparticuz/chromium';
import { build } from 'esbuild';
import { type Browser, chromium as playwright } from 'playwright-core';

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

/** Serves a page that runs `entry` (a file beside this one) as `/script.js`; cross-origin isolated with `?isolated`. */
export async function servePage(entry: string): Promise<{ url: string; close(): void }> {
  const { outputFiles } = await build({
    entryPoints: [join(here, entry)],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    conditions: ['@frugal/source'],
    logLevel: 'error',
  });
  const script = outputFiles[0]!.text;
  const respond = async (path: string): Promise<[type: string, body: string | Buffer]> => {
    if (path.endsWith('.wasm')) return ['application/wasm', await readFile(join(binaries, path))];
    if (path === '/script.js') return ['text/javascript', script];
    return ['text/html', '<!doctype html><script src="/script.js"></script>'];
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
