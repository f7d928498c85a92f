// The wasm backend in a real Chromium: bundled by esbuild and by Vite, in the page and in a worker, isolated and not.
import { keepBrowser } from '@frugal/test-support';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium, servePage } from './chromium.ts';

const browser = keepBrowser(launchChromium);
const servers: Record<string, { url: string; close(): void }> = {};

beforeAll(async () => {
  servers['esbuild'] = await servePage('page.ts');
  servers['vite'] = await servePage('page.ts', 'vite');
}, 120_000);

afterAll(async () => {
  await browser.close();
  for (const server of Object.values(servers)) server.close();
});

const inWorker = (name: string): string => `new Promise((resolve, reject) => {
  const worker = new Worker('/script.js', { type: document.scripts[0].type === 'module' ? 'module' : 'classic' });
  worker.onerror = (event) => reject(new Error(event.message));
  worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data.result));
  worker.postMessage('${name}');
})`;

interface Place {
  readonly bundler: 'esbuild' | 'vite';
  readonly where: 'page' | 'worker';
  readonly isolated: boolean;
}

async function ask<T>({ bundler, where, isolated }: Place, name: string): Promise<T> {
  const page = await (await browser.open()).newPage();
  try {
    await page.goto(`${servers[bundler]!.url}${isolated ? '?isolated' : ''}`);
    return (await page.evaluate(where === 'page' ? `check('${name}')` : inWorker(name))) as T;
  } finally {
    await page.close();
  }
}

const places: Place[] = (['esbuild', 'vite'] as const).flatMap((bundler) =>
  (['page', 'worker'] as const).flatMap((where) => [true, false].map((isolated) => ({ bundler, where, isolated }))),
);

interface Basics {
  report: { threads: number; threadsReason: string; relaxed: boolean };
  same: boolean;
  finite: boolean;
  losses: number[];
}

describe('the wasm backend in Chromium', () => {
  it.each(places)('trains by $bundler, in a $where, isolated: $isolated', async (place) => {
    const { report, same, finite, losses } = await ask<Basics>(place, 'basics');
    expect(report).toMatchObject({ threads: place.isolated ? 2 : 1, relaxed: true });
    if (!place.isolated) expect(report.threadsReason).toMatch(/isolated/);
    expect({ same, finite }).toEqual({ same: true, finite: true });
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  });

  describe.each([
    { bundler: 'esbuild', where: 'page', isolated: true },
    { bundler: 'esbuild', where: 'worker', isolated: true },
  ] as const)('in a $where', (place) => {
    it('has every gradient of tfjs, and right', async () => {
      const { names, missing, wrong } = await ask<{ names: number; missing: string[]; wrong: string[] }>(
        place,
        'registry',
      );
      expect(names).toBeGreaterThan(90);
      expect({ missing, wrong }).toEqual({ missing: [], wrong: [] });
    });

    it('equals the cpu backend over random shapes', async () => {
      expect((await ask<string[]>(place, 'shapes')).length).toBe(12);
    });

    it('takes the crash of a worker for an error and goes on', async () => {
      expect(await ask(place, 'crash')).toEqual({ threads: 2, crashed: true, again: 2, same: true });
    });

    it('takes a full heap for an error that changes nothing', async () => {
      const result = await ask<{ held: number }>(place, 'full');
      expect(result).toMatchObject({ full: true, same: true, kept: [1, 2, 3] });
      expect(result.held).toBeGreaterThan(10);
    });
  });
});
