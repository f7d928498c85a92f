import fc from 'fast-check';
import { afterEach, expect, vi } from 'vitest';

/** Random cases are the same every time, so that a failure is about what was changed; `test:deep` looks at new ones. */
if (process.env['FRUGAL_DEEP'] !== '1') fc.configureGlobal({ seed: Number(process.env['FRUGAL_SEED'] ?? 1) });

/** tfjs advertises tfjs-node once per process; that one is no news. */
const banner = 'Hi, looks like you are running TensorFlow.js in Node.js';

const warnings: string[] = [];
vi.spyOn(console, 'warn').mockImplementation((...words: unknown[]) => {
  const text = words.join(' ');
  if (!text.includes(banner)) warnings.push(text);
});

afterEach(() => {
  const seen = warnings.splice(0);
  expect(seen, 'warnings during the test').toEqual([]);
});
