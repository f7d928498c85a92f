import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '@frugal/test-support';
import type { BrowserContext } from 'playwright-core';
import { expect } from 'vitest';

/** Not programs for a page: one compares what Node has, one is the page, one is a part of others. */
const LEFT_OUT = ['node-gpu', 'browser-lab', 'support'];

/** Begun first, as it takes longest. */
const LONGEST = 'dynamic-nets';

/** At once: as many as this machine has cores at least. */
const LANES = 2;

/** Runs one example with `--quick` sizes in a page of its own; returns what it complains of and what it promised. */
async function runExample(context: BrowserContext, url: string, name: string): Promise<string> {
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  try {
    await page.goto(url);
    await page.locator(`#${name}`).getByRole('button').click();
    const ended = (id: string): boolean => {
      const { state } = document.getElementById(id)!.dataset;
      return state !== undefined && state !== 'running';
    };
    await page.waitForFunction(ended, name, { timeout: 0 });
    const example = page.locator(`#${name}`);
    const [status, verdicts] = [example.getByRole('status'), example.getByRole('list')];
    const state = await example.getAttribute('data-state');
    if (state === 'reached' && complaints.length === 0) return 'reached';
    return [state, await status.textContent(), await verdicts.innerText(), ...complaints].join('\n');
  } finally {
    await page.close();
  }
}

/** Every example of the repository keeps its promises in the page; what is left out is named. */
export async function expectAllExamplesRun(context: BrowserContext, url: string): Promise<void> {
  const there = readdirSync(join(root, 'examples')).filter((name) => !LEFT_OUT.includes(name));
  const page = await context.newPage();
  await page.goto(url);
  const listed = await page.locator('#list > section').evaluateAll((sections) => sections.map(({ id }) => id));
  await page.close();
  expect(listed.toSorted()).toEqual(there.toSorted());

  const results: Record<string, string> = {};
  const waiting = [LONGEST, ...listed.filter((name) => name !== LONGEST)];
  const lane = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      results[name] = await runExample(context, url, name);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  expect(results).toEqual(Object.fromEntries(listed.map((name) => [name, 'reached'])));
}
