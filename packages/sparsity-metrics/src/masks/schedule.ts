import { FrugalError, type Schedule } from '@frugal/tensor';

/** Options of `cubicSparsity`. */
export interface CubicSparsityOptions {
  /** Sparsity at the end. */
  final: number;
  /** Sparsity at the beginning. Default 0. */
  initial?: number;
  /** Step at which pruning begins. Default 0. */
  begin?: number;
  /** Step at which `final` is reached. */
  end: number;
}

/**
 * Sparsity over the steps, fast at first and slow at the end (Zhu & Gupta, arXiv 1710.01878):
 * s = final + (initial − final)·(1 − (t − begin)/(end − begin))³.
 *
 * Pass its values as `{ sparsity }`. In r rounds of equal cuts take `geometricSparsity` instead.
 *
 * @throws {FrugalError} `BAD_OPTION` unless 0 ≤ initial ≤ final ≤ 1 and begin < end.
 */
export function cubicSparsity({ final, initial = 0, begin = 0, end }: CubicSparsityOptions): Schedule {
  if (!(0 <= initial && initial <= final && final <= 1 && begin < end)) {
    throw new FrugalError(
      'BAD_OPTION',
      `cubicSparsity: wants 0 ≤ initial ≤ final ≤ 1 and begin < end, got ${initial}, ${final}, ${begin} and ${end}.`,
    );
  }
  return (step) => {
    const left = 1 - Math.min(1, Math.max(0, (step - begin) / (end - begin)));
    return final + (initial - final) * left ** 3;
  };
}

/**
 * Sparsity after each round where every round cuts the same share of what is left: 1 − (1 − final)^((round + 1)/rounds).
 *
 * Round 0 is the first cut. Lottery tickets (arXiv 1803.03635) take 20 % a round.
 *
 * @throws {FrugalError} `BAD_OPTION` unless 0 ≤ final < 1 and rounds is a positive integer.
 */
export function geometricSparsity(final: number, rounds: number): Schedule {
  if (!(final >= 0 && final < 1 && Number.isInteger(rounds) && rounds > 0)) {
    throw new FrugalError(
      'BAD_OPTION',
      `geometricSparsity: wants final in [0, 1) and a positive number of rounds, got ${final} and ${rounds}.`,
    );
  }
  return (round) => 1 - (1 - final) ** (Math.min(rounds, Math.max(0, round + 1)) / rounds);
}
