import { cosine } from '@frugal/core-trainer';
import { expect, it } from 'vitest';
import { warmCosine } from './schedule.ts';

it('is the cosine with warm-up of core-trainer', () => {
  const [ours, theirs] = [warmCosine(0.1)(0.3, 200), cosine(0.3, { steps: 200, warmup: 20 })];
  for (let step = 0; step < 220; step++) expect(ours(step)).toBeCloseTo(theirs(step), 12);
  expect(warmCosine(0)(1, 10)(0)).toBe(1);
});
