import type { Tensor } from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

type Values = Tensor | ArrayLike<number>;

async function values(x: Values): Promise<ArrayLike<number>> {
  return 'dataId' in x ? ((await x.data()) as Float32Array) : x;
}

/** The largest |a − b| ÷ (1 + |b|). NaN counts as infinitely far unless both are NaN. */
export async function largestDifference(actual: Values, expected: Values): Promise<number> {
  const [a, b] = [await values(actual), await values(expected)];
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < b.length; i++) {
    if (Object.is(a[i], b[i]) || a[i] === b[i]) continue;
    const difference = Math.abs(a[i]! - b[i]!) / (1 + Math.abs(b[i]!));
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }
  return worst;
}

/** Expects every element within `tolerance`, relative to 1 + |expected|. */
export async function expectClose(actual: Values, expected: Values, tolerance = 1e-5): Promise<void> {
  expect(await largestDifference(actual, expected), 'largest relative difference').toBeLessThanOrEqual(tolerance);
}
