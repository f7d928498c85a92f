import { afterEach, beforeEach, expect, vi } from 'vitest';
import { seedChance } from './seed.ts';

/** `test:deep` looks at new cases every time. */
if (process.env['FRUGAL_DEEP'] !== '1') {
  const again = (): void => seedChance(Number(process.env['FRUGAL_SEED'] ?? 1));
  again();
  beforeEach(again);
}

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
