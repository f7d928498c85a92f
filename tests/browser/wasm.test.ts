// The wasm backend in a real Chromium: bundled by esbuild, in the page and in a worker, isolated and not.
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, servePage } from './chromium.ts';

interface Result {
  report: { threads: number; threadsReason: string; relaxed: boolean; sharedHeap: boolean };
  same: boolean;
  value: number;
  losses: number[];
}

let browser: Browser;
let server: { url: string; close(): void };

beforeAll(async () => {
  server = await servePage('page.ts');
  browser = await launchChromium();
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
    const page = await browser.newPage();
    try {
      await page.goto(server.url + query);
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
