import { FrugalError } from '@frugal/tensor';

/** How many learners each token gets, and the order in which they run. Host data only. */
export interface BoostPlan {
  readonly tokens: number;
  readonly learners: number;
  /** Learners of each token [tokens]. */
  readonly counts: Uint8Array;
  /** The tokens of learner 0, then of learner 1, …; each time those with the largest counts first. */
  readonly rows: Int32Array;
  /** The entry of `rows` after the last of each learner [learners]. */
  readonly ends: readonly number[];
}

/**
 * Sorts tokens by their counts, largest first (a counting sort, stable): learner j then runs on the first n_j of them.
 *
 * @param counts [tokens], integers in [0, learners].
 * @param learners At most 255.
 * @throws {FrugalError} `BAD_COUNTS` if a count is out of range.
 */
export function planCounts(counts: ArrayLike<number>, learners: number): BoostPlan {
  const tokens = counts.length;
  const own = new Uint8Array(tokens);
  const having = new Int32Array(learners + 1);
  for (let t = 0; t < tokens; t++) {
    const k = counts[t]!;
    if (!(Number.isInteger(k) && k >= 0 && k <= learners && learners < 256)) {
      throw new FrugalError('BAD_COUNTS', `counts[${t}] must be an integer between 0 and ${learners}, got ${k}.`);
    }
    own[t] = k;
    having[k]!++;
  }
  const next = new Int32Array(learners + 1);
  for (let k = learners - 1; k >= 0; k--) next[k] = next[k + 1]! + having[k + 1]!;
  // next[k] is now where tokens with count k start, so also how many have more than k.
  const sizes = Array.from({ length: learners }, (_, j) => next[j]!);
  const order = new Int32Array(sizes[0] ?? 0);
  for (let t = 0; t < tokens; t++) if (own[t]! > 0) order[next[own[t]!]!++] = t;
  const ends: number[] = [];
  let total = 0;
  for (const size of sizes) {
    total += size;
    ends.push(total);
  }
  const rows = new Int32Array(total);
  for (const [j, size] of sizes.entries()) rows.set(order.subarray(0, size), ends[j]! - size);
  return { tokens, learners, counts: own, rows, ends };
}

/** Whether every token gets every learner: nothing to sort then. */
export function isFull({ tokens, learners, rows }: BoostPlan): boolean {
  return rows.length === tokens * learners;
}
