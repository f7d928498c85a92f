import type { Schedule, Tree } from '@frugal/tensor';
import { checkNumber } from '../errors.ts';
import type { ProbeCost, Problem } from '../problem.ts';
import { type ScheduleShape, warmCosine } from '../schedule.ts';
import { miniatureRuns, quickMiniatures } from './miniature-runs.ts';
import { batchSizePart, warmupPart } from './parts.ts';
import type { Advice, Part, Policy, PolicyOptions } from './policy.ts';

/** Options of `probe`. */
export interface ProbeAdviceOptions extends PolicyOptions {
  /** How long to look: miniatures of 1/24 of the run, at most 50 steps, or of 1/7. Default `'quick'`. */
  readonly setting?: 'quick' | 'thorough';
  /** Another way to find the rate. Default: `miniatureRuns` by the setting. */
  readonly policy?: Policy;
  /** Share of the run that the rate rises. Default 0.1. */
  readonly warmup?: number;
  /** Full runs that the advice stands in for. Default 13, a grid of six decades by half decades. */
  readonly grid?: number;
}

/** A learning rate with what belongs to it; `confidence` and `reasons` are those of the rate. */
export interface Recommendation extends Advice {
  readonly policy: string;
  /** Steps of the run that it is for. */
  readonly steps: number;
  /** Steps of linear warm-up. */
  readonly warmup: number;
  /** Examples a batch beyond which larger ones save few steps; the rate is for the batches that the problem has. */
  readonly batchSize: number | undefined;
  /** The three numbers, each with why and how sure. */
  readonly parts: { readonly rate: Part; readonly warmup: Part; readonly batchSize: Part };
  /** The rate with its warm-up and its decay to 0: pass it to the optimizer. */
  readonly schedule: Schedule;
  readonly shape: ScheduleShape;
  /** What the grid would cost that it replaces, as far as a step was metered. */
  readonly grid: { readonly runs: number; readonly flops: number; readonly ms: number } | undefined;
}

/**
 * Recommends a learning rate for a run, with its warm-up and decay, and a batch size, from the first steps of it.
 *
 *     const advice = await probe({ loss, params, data, key: key(0) }, { optimizer: adamw, steps: 2000 });
 *     train({ optimizer: adamw(advice.schedule), steps: 2000, … });
 *
 * Leaves no trace: parameters, state, data and keys are as they were. A constant rate was worse than warm-up and cosine in
 * all our experiments, so the advice is a schedule. The batch size is the gradient noise scale at the end of the miniature runs
 * (arXiv 1812.06162); whoever changes to it asks again, for the rate belongs to the batches it was found on.
 *
 * @returns Rate, warm-up and batch size, each with why and how sure, and what it cost against a grid.
 * @throws {ProbeError} Where the policy finds no rate; says why.
 */
export async function probe<P extends Tree, B>(
  problem: Problem<P, B>,
  options: ProbeAdviceOptions,
): Promise<Recommendation> {
  const { setting = 'quick', warmup = 0.1, grid = 13, steps } = options;
  checkNumber('steps', steps, { min: 1, integer: true });
  checkNumber('warmup', warmup, { min: 0, max: 0.99 });
  const policy = options.policy ?? (setting === 'quick' ? miniatureRuns(quickMiniatures) : miniatureRuns());
  const advice = await policy.advise(problem, options);
  const shape = warmCosine(warmup);
  const { rate, confidence, reasons } = advice;
  const parts = {
    rate: { value: rate, confidence, reasons },
    warmup: warmupPart(advice, Math.round(warmup * steps)),
    batchSize: batchSizePart(advice.evidence),
  };
  return {
    ...advice,
    policy: policy.name,
    steps,
    warmup: parts.warmup.value,
    batchSize: parts.batchSize.value,
    parts,
    schedule: shape(rate, steps),
    shape,
    grid: gridCost(advice, steps, grid),
  };
}

/** A grid of full runs, from what a step of the miniatures cost. */
function gridCost({ evidence }: Advice, steps: number, runs: number): Recommendation['grid'] {
  const whole = evidence.miniatures?.filter(({ diverged }) => !diverged) ?? [];
  const made = whole.reduce((sum, { losses }) => sum + losses.length, 0);
  if (made === 0) return undefined;
  const spent = (what: keyof ProbeCost): number => whole.reduce((sum, { cost }) => sum + cost[what], 0);
  const full = (runs * steps) / made;
  return { runs, flops: full * spent('flops'), ms: full * spent('ms') };
}
