import { FrugalError } from '@frugal/tensor';

/**
 * The indices of the `count` smallest scores among those that `alive` says are left; of equal ones the first.
 *
 * @param count Checked by `countToCut`.
 * @throws {FrugalError} `BAD_SCORES` for a NaN among those that are left, unless none or all of them go.
 */
export function smallest(scores: Float32Array, alive: Uint8Array, count: number): Uint32Array {
  const candidates = new Uint32Array(scores.length);
  let length = 0;
  for (let i = 0; i < scores.length; i++) if (alive[i] === 1) candidates[length++] = i;
  const indices = candidates.subarray(0, length);
  if (count >= length) return indices;
  if (count === 0) return indices.subarray(0, 0);
  // A threshold by sorting plain numbers is far faster than sorting indices by a comparison.
  const sorted = new Float32Array(length);
  for (let i = 0; i < length; i++) sorted[i] = scores[indices[i]!]!;
  sorted.sort(); // NaN comes last
  if (Number.isNaN(sorted[length - 1]))
    throw new FrugalError('BAD_SCORES', 'A score is NaN, so nothing can be ranked by it.');
  const threshold = sorted[count - 1]!;
  let below = 0;
  while (below < length && sorted[below]! < threshold) below++;
  const out = new Uint32Array(count);
  let [ties, at] = [count - below, 0];
  for (const i of indices) {
    const score = scores[i]!;
    if (score < threshold) out[at++] = i;
    else if (score === threshold && ties > 0) {
      ties--;
      out[at++] = i;
    }
  }
  return out;
}
