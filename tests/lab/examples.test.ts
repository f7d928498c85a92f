// Every example of the repository in a real Chromium, on the lab's page of examples.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { config } from '@frugal/example-browser-lab';
import { hasChromium, keepBrowser } from '@frugal/test-support';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { launchEmulated } from '../browser/chromium.ts';
import { expectAllExamplesRun } from './examples-in-page.ts';

let folder: string;
let server: PreviewServer;
const browser = keepBrowser(launchEmulated);

describe.runIf(hasChromium || process.env.FRUGAL_REQUIRE?.includes('browser') === true)('examples in the page', () => {
  beforeAll(async () => {
    // A folder of its own: the lab's tests may be serving theirs.
    folder = await mkdtemp(join(tmpdir(), 'frugal-examples-'));
    const apart = { ...config, build: { ...config.build, outDir: folder } };
    await build(apart);
    server = await preview({ ...apart, preview: { ...config.preview, port: 0 } });
  }, 180_000);

  afterAll(async () => {
    await browser.close();
    await server?.close();
    await rm(folder, { recursive: true });
  });

  it('all keep their promises', async () => {
    const context = await (await browser.open()).newContext({ locale: 'en-US', reducedMotion: 'reduce' });
    await expectAllExamplesRun(context, `${server.resolvedUrls!.local[0]!}examples.html`);
    await context.close();
  }, 180_000);
});
