// Checkpoints in a real browser's storage: a run that is cut off by a reload goes on, and equals the undisturbed one bit for bit.
import { keepBrowser } from '@frugal/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, servePage } from './chromium.ts';

interface Outcome {
  resumedAt: number;
  saved: string[];
  bits: Record<string, number[]>;
}

const browser = keepBrowser(launchChromium);
let server: { url: string; close(): void };

beforeAll(async () => {
  server = await servePage('resume-page.ts');
}, 120_000);

afterAll(async () => {
  await browser.close();
  server?.close();
});

describe('checkpoints in Chromium', () => {
  it.each([
    { where: 'opfs', prefix: 'opfs:' },
    { where: 'indexedDb', prefix: 'indexeddb:' },
    { where: 'browser', prefix: 'opfs:' },
  ])('in $where survive a reload, bit for bit', async ({ where, prefix }) => {
    const page = await (await browser.open()).newPage();
    const learn = (store: string, steps: number): Promise<Outcome> =>
      page.evaluate(`learn(${JSON.stringify(store)}, ${steps})`);
    try {
      await page.goto(server.url);
      const undisturbed = await learn('memory', 9);
      const first = await learn(where, 5);
      expect(first.resumedAt).toBe(0);
      expect(first.saved.every((path) => path.startsWith(prefix))).toBe(true);
      await page.reload();
      const second = await learn(where, 9);
      expect(second.resumedAt).toBe(5);
      expect(second.bits).toEqual(undisturbed.bits);
      expect(first.bits).not.toEqual(undisturbed.bits);
    } finally {
      await page.close();
    }
  });
});
