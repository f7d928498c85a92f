import { type ExitPolicy, makePolicy, probabilityMargin } from '@frugal/early-exit';

/**
 * Trusts an exit by the lead of its answer over the second best, and less where the exit before said something else.
 *
 * Score: lead · (1 if the answers agree, or nobody spoke before, else `doubt`).
 *
 * @param thresholds One per early exit, in [0, 1].
 */
export function wary(thresholds: readonly number[], { doubt = 0.5 } = {}): ExitPolicy {
  return makePolicy('wary', thresholds, (size, classes) => {
    // By the example's number in the batch, as its neighbours may have left: −1 until an exit has spoken.
    const said = new Int32Array(size).fill(-1);
    return {
      score: (_, logits, rows) =>
        Float32Array.from(rows, (row, i) => {
          const own = logits.subarray(i * classes, (i + 1) * classes);
          const answer = own.indexOf(Math.max(...own));
          const agreed = said[row] === -1 || said[row] === answer;
          said[row] = answer;
          return probabilityMargin(own) * (agreed ? 1 : doubt);
        }),
    };
  });
}
