// Every example of the repository in a real Chromium, on the lab's page of examples.
import { hasChromium, keepBrowser } from '@frugal/test-support';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { launchEmulated } from '../browser/chromium.ts';
import { expectAllExamplesRun } from './examples-in-page.ts';
import { type ServedLab, serveLab } from './serve-lab.ts';

let lab: ServedLab;
const browser = keepBrowser(launchEmulated);

describe.runIf(hasChromium || process.env.FRUGAL_REQUIRE?.includes('browser') === true)('examples in the page', () => {
  beforeAll(async () => {
    lab = await serveLab();
  }, 180_000);

  afterAll(async () => {
    await browser.close();
    await lab?.close();
  });

  it('all keep their promises', async () => {
    const context = await (await browser.open()).newContext({ locale: 'en-US', reducedMotion: 'reduce' });
    await expectAllExamplesRun(context, `${lab.url}examples.html`);
    await context.close();
  }, 180_000);
});
