import type { Schedule, Tree } from '@frugal/tensor';
import { checkNumber } from '../errors.ts';
import { type CriticalRate, type CriticalRateOptions, criticalRate } from '../probes/critical-rate.ts';
import type { Problem } from '../problem.ts';

/** Options of `catapultWarmup`. */
export interface CatapultWarmupOptions extends CriticalRateOptions {
  /** The rate at the end of the warm-up. */
  readonly target: number;
  /** Steps of the warm-up if it began at 0. */
  readonly steps: number;
}

/** A warm-up that begins where the loss bears it. */
export interface CatapultWarmup {
  /** η_init: the first rate. */
  readonly start: number;
  /** Steps that are left; 0 where the target is safe at once. */
  readonly steps: number;
  /** Steps that this saves. */
  readonly saved: number;
  /** The rate over these steps; `target` afterwards. */
  readonly schedule: Schedule;
  readonly critical: CriticalRate;
}

/**
 * The start of a warm-up from the loss catapult (arXiv 2406.09405): what a linear warm-up does below η_c at the first step, where
 * no step raises the loss, is time lost; so it begins at min(η_c, target), and saves steps · η_init / target of its steps.
 *
 * @throws {ProbeError} As `criticalRate`.
 */
export async function catapultWarmup<P extends Tree, B>(
  problem: Problem<P, B>,
  { target, steps, ...options }: CatapultWarmupOptions,
): Promise<CatapultWarmup> {
  checkNumber('target', target, { positive: true });
  checkNumber('steps', steps, { min: 0, integer: true });
  const critical = await criticalRate(problem, options);
  const start = Math.min(target, critical.rate);
  const left = Math.round(steps * (1 - start / target));
  const schedule: Schedule = (step) => (step >= left ? target : start + ((target - start) * (step + 1)) / (left + 1));
  return { start, steps: left, saved: steps - left, schedule, critical };
}
