import { FrugalError } from '../errors.ts';

/** Options of `solveBudget`. */
export interface SolveBudgetOptions {
  /** The knob's range; the cost rises with the knob. */
  readonly low: number;
  readonly high: number;
  /** Relative error of the cost that is good enough. Default 0.005. */
  readonly tolerance?: number;
  /** Evaluations at most. Default 20. */
  readonly evaluations?: number;
}

/** A knob's value and the mean cost that was measured there. */
export interface Solved {
  readonly knob: number;
  readonly cost: number;
}

/**
 * The value of a budget knob at which a model costs what was asked: by bisection and interpolation in
 * turn, as costs can be staircases.
 *
 * @param costOf The mean cost at a knob, measured; does not fall with it.
 * @param target In the unit of `costOf`.
 * @returns The best value that was tried.
 * @throws {FrugalError} `BAD_BUDGET` if the target lies outside of what the range can cost; says that range.
 */
export async function solveBudget(
  costOf: (knob: number) => Promise<number>,
  target: number,
  { low, high, tolerance = 0.005, evaluations = 20 }: SolveBudgetOptions,
): Promise<Solved> {
  let [a, b]: [Solved, Solved] = [
    { knob: low, cost: await costOf(low) },
    { knob: high, cost: await costOf(high) },
  ];
  const error = ({ cost }: Solved): number => Math.abs(cost - target) / target;
  let best = error(a) <= error(b) ? a : b;
  if (error(best) <= tolerance) return best;
  if (!(target >= a.cost && target <= b.cost)) {
    throw new FrugalError(
      'BAD_BUDGET',
      `The budget must lie in [${a.cost}, ${b.cost}], what this model can cost per example, got ${target}.`,
    );
  }
  for (let tried = 2; tried < evaluations && error(best) > tolerance; tried++) {
    const share = (target - a.cost) / (b.cost - a.cost);
    const knob = a.knob + (b.knob - a.knob) * (tried % 2 === 0 ? 0.5 : Math.min(0.95, Math.max(0.05, share)));
    const middle: Solved = { knob, cost: await costOf(knob) };
    if (error(middle) < error(best)) best = middle;
    if (middle.cost < target) a = middle;
    else b = middle;
  }
  return best;
}
