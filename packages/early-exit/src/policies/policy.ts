/**
 * Rates how sure a batch is, exit after exit, on the host. A scorer serves one run of one batch and may remember.
 */
export interface Scorer {
  /**
   * The scores of the examples that are still there; larger is surer.
   *
   * @param exit Which early exit, from 0.
   * @param logits Their logits, row by row, `rows.length` × classes. A policy that answers otherwise than by these logits (an
   *   ensemble) writes its own over them, as log-probabilities or logits.
   * @param rows Which examples of the batch they are, rising.
   */
  score(exit: number, logits: Float32Array, rows: Int32Array): Float32Array;
}

/** When an example leaves: at the first early exit whose score reaches the exit's threshold. */
export interface ExitPolicy {
  readonly name: string;
  /** One per early exit; ∞ closes an exit, −∞ opens it to all. */
  readonly thresholds: readonly number[];
  /** Begins a batch of `size` examples. */
  start(size: number, classes: number): Scorer;
  /** The same policy with other thresholds. */
  withThresholds(thresholds: readonly number[]): ExitPolicy;
}

/** Makes a policy of a name and a scorer. */
export function makePolicy(
  name: string,
  thresholds: readonly number[],
  start: (size: number, classes: number) => Scorer,
): ExitPolicy {
  return { name, thresholds, start, withThresholds: (others) => makePolicy(name, others, start) };
}

/** A policy that looks at one row of logits at a time and remembers nothing. */
export function rowPolicy(
  name: string,
  thresholds: readonly number[],
  rate: (row: Float32Array, exit: number) => number,
): ExitPolicy {
  return makePolicy(name, thresholds, (_, classes) => ({
    score(exit, logits, rows) {
      const scores = new Float32Array(rows.length);
      for (let i = 0; i < scores.length; i++) {
        scores[i] = rate(logits.subarray(i * classes, (i + 1) * classes), exit);
      }
      return scores;
    },
  }));
}
