// The numeric suites in a real Chromium, on WebGPU (SwiftShader) and on wasm; and which backend a page takes.
import { keepBrowser } from '@frugal/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../portable/run.ts';
import { numericSuites, webgpuSuites } from '../portable/suites.ts';
import { launchEmulated, servePage } from './chromium.ts';

const deep = process.env.FRUGAL_DEEP === '1';
/** The emulated card of a page is slow: all of it only in `test:deep`; Dawn in Node runs all of it always. */
const onWebGpu = [...numericSuites, ...webgpuSuites].filter(
  (path) => deep || !/conformance|repairs|gelu|matmul/.test(path),
);

const browser = keepBrowser(launchEmulated);
let server: { url: string; close(): void };

beforeAll(async () => {
  server = await servePage('numeric-page.ts', [...numericSuites, ...webgpuSuites]);
}, 120_000);

afterAll(async () => {
  await browser.close();
  server?.close();
});

async function ask<T>(call: string): Promise<T> {
  const page = await (await browser.open()).newPage();
  try {
    await page.goto(`${server.url}?isolated`);
    return (await page.evaluate(call)) as T;
  } finally {
    await page.close();
  }
}

describe('numeric suites in Chromium', () => {
  it.each([
    { backend: 'webgpu', suites: onWebGpu, least: deep ? 190 : 50 },
    { backend: 'wasm', suites: numericSuites, least: 190 },
  ])('on $backend', async ({ backend, suites, least }) => {
    const { name, passed, failed } = await ask<Outcome & { name: string }>(
      `numeric('${backend}', ${JSON.stringify(suites)})`,
    );
    expect({ name, failed }).toEqual({ name: backend, failed: [] });
    expect(passed).toBeGreaterThanOrEqual(least);
  });
});

interface Chain {
  name: string;
  current: string;
  reason: string;
  learns: boolean;
}

describe('a page takes the first backend that works', () => {
  it.each([
    { chain: ['hardware webgpu', 'wasm', 'webgl'], taken: 'wasm', reason: /webgpu was passed over: .*emulated/ },
    {
      chain: ['hardware webgpu', 'webgl', 'cpu'],
      taken: 'cpu',
      reason: /webgl was passed over: There is no WebGL 2 here on a real GPU/,
    },
    { chain: ['emulated webgl', 'cpu'], taken: 'webgl', reason: /WebGL 2 runs here .*SwiftShader/ },
  ])('$chain: $taken', async ({ chain, taken, reason }) => {
    const found = await ask<Chain>(`chain(${JSON.stringify(chain)})`);
    expect(found).toMatchObject({ name: taken, current: taken, learns: true });
    expect(found.reason).toMatch(reason);
  });
});
