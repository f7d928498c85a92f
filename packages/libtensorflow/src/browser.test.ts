import { cpu, useBackend } from '@frugal/tensor';
import { expect, it } from 'vitest';
import * as browser from './browser.ts';
import * as node from './index.ts';

it('a page gets the same names and a backend that is passed over', async () => {
  expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort());
  expect(browser.listInstallations()).toEqual([]);
  expect(() => browser.load()).toThrow(/not in a page/);
  const { name, reason } = await useBackend([browser.tensorflow(), cpu()]);
  expect(name).toBe('cpu');
  expect(reason).toMatch(/tensorflow was passed over: TensorFlow runs in Node/);
});
