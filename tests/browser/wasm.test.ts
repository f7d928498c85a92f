// The wasm backend in a real Chromium: bundled by esbuild, in the page and in a worker, isolated and not.
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import chromium from '@sparticuz/chromium';
import { build } from 'esbuild';
import { type Browser, chromium as playwright } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Result {
  report: { threads: number; threadsReason: string; relaxed: boolean; sharedHeap: boolean };
  same: boolean;
  value: number;
  losses: number[];
}

const here = dirname(fileURLToPath(import.meta.url));
const binaries = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

let browser: Browser;
let server: Server;
let script: string;

async function respond(path: string): Promise<[type: string, body: string | Buffer]> {
  if (path.endsWith('.wasm')) return ['application/wasm', await readFile(join(binaries, path))];
  if (path === '/script.js') return ['text/javascript', script];
  return ['text/html', '<!doctype html><script src="/script.js"></script>'];
}

beforeAll(async () => {
  const { outputFiles } = await build({
    entryPoints: [join(here, 'page.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    conditions: ['@frugal/source'],
    logLevel: 'error',
  });
  script = outputFiles[0]!.text;
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost');
    const isolated = searchParams.has('isolated') || /isolated/.test(request.headers.referer ?? '');
    respond(pathname).then(
      ([type, body]) => response.writeHead(200, { 'Content-Type': type, ...(isolated && isolation) }).end(body),
      () => response.writeHead(404).end(),
    );
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  browser = await playwright.launch({
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
    executablePath: await chromium.executablePath(),
    headless: true,
  });
}, 120_000);

afterAll(async () => {
  await browser?.close();
  server?.close();
});

const IN_WORKER = `new Promise((resolve, reject) => {
  const worker = new Worker('/script.js');
  worker.onerror = (event) => reject(new Error(event.message));
  worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.result));
})`;

describe('the wasm backend in Chromium', () => {
  it.each([
    { where: 'page', query: '?isolated', threads: 2, code: 'check()' },
    { where: 'worker', query: '?isolated', threads: 2, code: IN_WORKER },
    { where: 'page that is not isolated', query: '', threads: 1, code: 'check()' },
  ])('trains in a $where', async ({ query, threads, code }) => {
    const { port } = server.address() as AddressInfo;
    const page = await browser.newPage();
    try {
      await page.goto(`http://127.0.0.1:${port}/${query}`);
      const { report, same, value, losses } = (await page.evaluate(code)) as Result;
      expect(report).toMatchObject({ threads, relaxed: true });
      if (threads === 1) expect(report.threadsReason).toMatch(/isolated/);
      expect(same).toBe(true);
      expect(Number.isFinite(value)).toBe(true);
      expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    } finally {
      await page.close();
    }
  });
});
