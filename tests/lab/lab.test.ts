// The lab in a real Chromium: what a visitor does, and what may go wrong meanwhile.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { hasChromium, keepBrowser } from '@frugal/test-support';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchEmulated } from '../browser/chromium.ts';
import { type ServedLab, serveLab } from './serve-lab.ts';
import { staticHost } from './static-host.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WAIT = 60_000;

/** A folder to put pictures of the lab into, e.g. docs/lab. */
const PICTURES = process.env.FRUGAL_PICTURES;

/** What must be there before the first task trains on wasm, gzipped, without data. */
const FIRST_LOAD_LIMIT = 400_000;

let lab: ServedLab;
const browser = keepBrowser(launchEmulated);

/** A page of its own; what it complains of is collected. */
async function open(
  address: string,
  { width = 1280, height = 900, dark = false } = {},
): Promise<{ page: Page; complaints: string[]; close(): Promise<void> }> {
  const context = await (await browser.open()).newContext({
    locale: 'en-US',
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`${lab.url}${address}`);
  return { page, complaints, close: () => context.close() };
}

const inState = (page: Page, state: string): Promise<unknown> =>
  page.waitForFunction((wanted) => document.body.dataset.state === wanted, state, { timeout: WAIT });

/** Waits until the number behind "now" is at least this many per cent. */
const reaches = (page: Page, percent: number): Promise<unknown> =>
  page.waitForFunction(
    (least) => Number.parseFloat(document.querySelector('#cost-score')?.textContent ?? '') >= least,
    percent,
    { timeout: WAIT },
  );

const stepOf = (page: Page): Promise<number> =>
  page.locator('#cost-steps').evaluate((cell) => Number(cell.textContent!.replaceAll(',', '')) || 0);

interface AxeResult {
  violations: { id: string; nodes: { html: string }[] }[];
}

/** Accessibility rules that the page breaks. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const found = (await page.evaluate('axe.run(document)')) as AxeResult;
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`);
}

describe.runIf(hasChromium || process.env.FRUGAL_REQUIRE?.includes('browser') === true)('the lab', () => {
  beforeAll(async () => {
    lab = await serveLab();
  }, 180_000);

  afterAll(async () => {
    await browser.close();
    await lab?.close();
  });

  it('trains from the moment it is opened, with a small first load', async () => {
    const loads: { path: string; begun: number; size: Promise<number> }[] = [];
    const context = await (await browser.open()).newContext({ locale: 'en-US' });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    context.on('response', (response) => {
      const path = new URL(response.url()).pathname;
      if (!response.ok() || path.startsWith('/data/') || !response.url().startsWith('http')) return;
      const begun = response.request().timing().startTime;
      loads.push({
        path,
        begun,
        size: response.body().then(
          (body) => gzipSync(body).length,
          () => Number.NaN,
        ),
      });
    });
    await page.goto(lab.url);
    await inState(page, 'running');
    // What the charts and the service worker ask for comes later.
    const running = await page.evaluate(
      () => performance.timeOrigin + performance.getEntriesByName('running')[0]!.startTime,
    );
    const first = loads.filter(({ begun }) => begun < running);
    const sizes = await Promise.all(first.map(async ({ path, size }) => [path, await size] as const));
    const total = sizes.reduce((sum, [, size]) => sum + size, 0);
    expect(sizes.some(([path]) => path.endsWith('.wasm'))).toBe(true);
    expect(sizes.some(([path]) => path.includes('worker'))).toBe(true);
    expect(total, JSON.stringify(sizes)).toBeLessThanOrEqual(FIRST_LOAD_LIMIT);
    // Nobody has clicked yet.
    await page.waitForFunction(() => /Learnt/.test(document.querySelector('#learnt')!.textContent!), undefined, {
      timeout: WAIT,
    });
    expect(await page.locator('#learnt').textContent()).toMatch(
      /^Learnt: 9\d\.\d % after \d+ steps, in [\d.]+ s, for [\d.]+ [MG] FLOPs and [\d.]+ [µm]Wh\.$/,
    );
    expect(complaints).toEqual([]);
    await context.close();
  });

  it.each([
    { dark: false, width: 1280, height: 720, task: 'spirals' },
    { dark: true, width: 1280, height: 900, task: 'ala' },
    { dark: false, width: 390, height: 900, task: 'mnist' },
    { dark: true, width: 390, height: 900, task: 'text' },
    { dark: true, width: 1280, height: 900, task: 'patches' },
  ])('is accessible and fits: $task, $width × $height, dark $dark', async ({ task, ...screen }) => {
    const { page, complaints, close } = await open(`#task=${task}`, screen);
    await inState(page, 'running');
    await page.waitForFunction(() => document.querySelectorAll('#loss .uplot').length > 0, undefined, {
      timeout: WAIT,
    });
    expect(await violations(page)).toEqual([]);
    const overflow = await page.evaluate(() => {
      const controls = document.querySelector('#controls')!;
      return [document.documentElement.scrollWidth - innerWidth, controls.scrollHeight - controls.clientHeight];
    });
    expect(overflow).toEqual([0, 0]);
    if (PICTURES !== undefined) {
      await page.waitForTimeout(15_000);
      await page.screenshot({ path: `${PICTURES}/${task}-${screen.width}.jpg`, type: 'jpeg', quality: 60 });
    }
    expect(complaints).toEqual([]);
    await close();
  });

  it('goes on after a reload bit for bit, and leaves nothing behind', async () => {
    // No backward pass: what a step adds depends on the run's random numbers, too.
    const address = '#task=spirals&gradient=local&backend=wasm&until=480';
    const tensors = (page: Page): Promise<number> => page.workers()[0]!.evaluate('lab.tf.memory().numTensors');
    const whole = await open(address);
    await inState(whole.page, 'paused');
    const expected = await whole.page.locator('body').getAttribute('data-digest');
    const live = await tensors(whole.page);
    await whole.close();

    const { page, close } = await open(address);
    await inState(page, 'running');
    // Clicked in the page: by the time that a click from here arrives, a fast run may have ended.
    await page.waitForFunction(
      () => {
        if (document.querySelector('#cost-steps')!.textContent === '–') return false;
        document.querySelector<HTMLElement>('#go')!.click();
        return true;
      },
      undefined,
      { timeout: WAIT },
    );
    await inState(page, 'paused');
    const half = Number(await page.locator('body').getAttribute('data-step'));
    expect(half).toBeGreaterThan(0);
    expect(half).toBeLessThan(480);
    await page.reload();
    await inState(page, 'paused');
    await page.click('#go');
    await page.waitForFunction(() => document.body.dataset.step === '480', undefined, { timeout: WAIT });
    expect(await page.locator('body').getAttribute('data-digest')).toBe(expected);
    await close();

    const longer = await open(address.replace('480', '680'));
    await inState(longer.page, 'paused');
    // A constant more or less may be cached; a leak would be one a step.
    expect(Math.abs((await tensors(longer.page)) - live)).toBeLessThan(10);
    await longer.close();
  });

  it('survives a lost GPU', async () => {
    const { page, complaints, close } = await open('#task=ala&backend=webgpu');
    await inState(page, 'running');
    expect(await page.locator('#backend').textContent()).toMatch(/webgpu/);
    await page.waitForFunction(() => document.querySelector('#cost-steps')!.textContent !== '–', undefined, {
      timeout: WAIT,
    });
    await page.workers()[0]!.evaluate("lab.tf.findBackend('webgpu').device.destroy()");
    await page.waitForFunction(() => /GPU was lost/.test(document.body.dataset.notes ?? ''), undefined, {
      timeout: WAIT,
    });
    await inState(page, 'running');
    const before = await stepOf(page);
    await page.waitForFunction(
      (from) => Number(document.querySelector('#cost-steps')!.textContent!.replaceAll(',', '')) > from,
      before,
      { timeout: WAIT },
    );
    expect(complaints.filter((text) => !/Device.*lost|destroyed/i.test(text))).toEqual([]);
    await close();
  });

  it('shows where compute goes, and spends less at once where less certainty will do', async () => {
    const { page, complaints, close } = await open('#task=text&width=32&backend=wasm&until=200');
    await inState(page, 'paused');
    expect(await page.locator('#compute .writing span').count()).toBe(48);
    /** FLOPs a character, once the run that rests was looked at anew. */
    const flops = async (sure: string): Promise<number> => {
      const summary = page.locator('#compute p').first();
      await summary.evaluate((text) => (text.textContent = ''));
      await page.selectOption('#sure', sure);
      await page.waitForFunction(() => /FLOPs/.test(document.querySelector('#compute p')!.textContent!));
      return Number(/average ([\d.]+) k/.exec((await summary.textContent())!)![1]);
    };
    const careful = await flops('0.99');
    expect(page.url()).toContain('sure=0.99');
    expect(await flops('0.3')).toBeLessThan(careful);
    expect(complaints).toEqual([]);
    await close();
  });

  it('can be used by keys alone, and says where it runs', async () => {
    const { page, complaints, close } = await open('');
    await inState(page, 'running');
    expect(await page.locator('#why').textContent()).toMatch(/WebAssembly runs here .*WebGPU was passed over: .+/);
    // What one neuron sees.
    await page.locator('.neurons input:checked').focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('canvas.plane').getAttribute('aria-label')).toMatch(/neuron 1 of hidden 1 lights up/);
    await page.locator('#task-spirals').focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('#exits').waitFor({ timeout: WAIT });
    expect(new URL(page.url()).hash).toBe('#task=mnist');
    await inState(page, 'running');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Space');
    await inState(page, 'paused');
    expect(complaints).toEqual([]);
    await close();
  });

  it('learns on WebGL', async () => {
    const { page, complaints, close } = await open('#task=ala&backend=webgl&until=100');
    await inState(page, 'paused');
    expect(await page.locator('#backend').textContent()).toBe('webgl');
    expect(await page.locator('#why').textContent()).toMatch(/WebGL 2 runs here \(.*SwiftShader.*; float32\)/);
    await reaches(page, 70);
    expect(complaints.filter((text) => !/GPU stall|Automatic fallback to software WebGL/.test(text))).toEqual([]);
    await close();
  });

  it('works on a plain web host: isolated from the second visit on, then without the host', async () => {
    const host = await staticHost(lab.folder);
    const context = await (await browser.open()).newContext({ locale: 'en-US' });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    await page.goto(host.url);
    await inState(page, 'running');
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    // What a stranger's script would do.
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'document.body.dataset.injected = "yes"';
      document.head.append(script);
    });
    expect(await page.locator('body').getAttribute('data-injected')).toBeNull();
    expect(complaints.splice(0).join()).toMatch(/Content Security Policy/);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null, undefined, { timeout: WAIT });
    await page.reload();
    await inState(page, 'running');
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await host.close();
    await page.goto('about:blank');
    // A task of which nothing was seen before, data and all.
    await page.goto(`${host.url}#task=mnist`);
    await inState(page, 'running');
    await reaches(page, 50);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it('has an accessible page of examples', async () => {
    const { page, close } = await open('examples.html');
    await page.locator('#list > section').first().waitFor();
    expect(await violations(page)).toEqual([]);
    await close();
  });

  it('answers: a cut, a probe, a drawn digit, files', async () => {
    const { page, complaints, close } = await open('#task=mnist&width=32');
    await inState(page, 'running');
    await reaches(page, 70);
    const box = (await page.locator('canvas.pad').boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 30);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 30, { steps: 5 });
    // It answers while the stroke goes on.
    await page.locator('#draw table').waitFor({ timeout: WAIT });
    await page.mouse.up();
    await page.waitForFunction(() => /Answer/.test(document.querySelector('#spoken')!.textContent!));
    expect(await page.locator('#draw').textContent()).toMatch(/Answer: \d, for [\d.]+ k FLOPs/);
    await page.locator('#cut-share').fill('80');
    await page.locator('#cut svg').first().waitFor({ timeout: WAIT });
    const cut = /% with ([\d,]+) weights, [\d.]+ % with ([\d,]+)/.exec((await page.locator('#cut').textContent())!)!;
    const [all, left] = cut.slice(1).map((count) => Number(count.replaceAll(',', '')));
    expect(left! / all!).toBeCloseTo(0.2, 1);
    expect(await page.locator('#cut .weights canvas').count()).toBe(6);
    await page.waitForURL(/cut=80/);
    await page.getByRole('button', { name: 'Probe the learning rate' }).click();
    await page.locator('#rate svg').first().waitFor({ timeout: WAIT });
    expect(await violations(page)).toEqual([]);
    const record = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save run' }).click();
    const saved = JSON.parse(readFileSync(await (await record).path(), 'utf8'));
    expect(saved.config).toMatchObject({ task: 'mnist', width: 32, cut: 80 });
    expect(saved.flops).toBeGreaterThan(0);
    expect(saved.losses.length).toBeGreaterThan(10);
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save weights' }).click();
    const file = await (await download).path();
    const run = Buffer.from(JSON.stringify({ config: { task: 'ala', width: 16, rate: 7 } }));
    await page.locator('#load').setInputFiles({ name: 'run.json', mimeType: 'application/json', buffer: run });
    await page.locator('#words').waitFor({ timeout: WAIT });
    // There is no rate of 7.
    expect(new URL(page.url()).hash).toBe('#task=ala&width=16');
    await inState(page, 'running');
    // Weights know what they are weights of.
    await page.locator('#load').setInputFiles({
      name: 'weights.safetensors',
      mimeType: 'application/octet-stream',
      buffer: readFileSync(file),
    });
    // Fresh weights would start at a tenth.
    await reaches(page, 60);
    expect(await stepOf(page)).toBeLessThan(200);
    expect(new URL(page.url()).hash).toBe('#task=mnist&width=32&cut=80');
    expect(complaints).toEqual([]);
    await close();
  });
});
