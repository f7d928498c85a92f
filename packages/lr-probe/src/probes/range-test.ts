import { type GradientTransformation, type Tree, treeClone, treeDispose } from '@frugal/tensor';
import { checkNumber } from '../errors.ts';
import type { OptimizerFactory, ProbeCost, ProbeOptions, Problem } from '../problem.ts';
import { costSince, onScene, type Scene } from '../scene.ts';
import type { LinePoint } from './critical-rate.ts';
import { type Suggestions, suggestRates } from './rules.ts';
import { stepOn } from './step.ts';

/** Options of `rangeTest`. */
export interface RangeTestOptions extends ProbeOptions {
  readonly optimizer: OptimizerFactory;
  /** The lowest rate. Default 1e-7. */
  readonly from?: number;
  /** The highest rate. Default 10. */
  readonly to?: number;
  /** Training steps, one rate each. Default 100. */
  readonly steps?: number;
  /** How the rates are spaced. Default `'exponential'`. */
  readonly spacing?: 'exponential' | 'linear';
  /** How much of the average is kept at each step, in [0, 1). Default 0.9. */
  readonly smoothing?: number;
  /** The test ends when the smoothed loss passes so many times its best. Default 4. */
  readonly stopAt?: number;
}

/** The loss while the rate rises. */
export interface RangeTest {
  readonly suggestions: Suggestions;
  /** The loss of each step at its rate, as it was. */
  readonly points: readonly LinePoint[];
  /** The same, averaged exponentially with its bias corrected. */
  readonly smoothed: readonly LinePoint[];
  /** Whether the loss diverged before the highest rate. */
  readonly diverged: boolean;
  readonly cost: ProbeCost;
}

/**
 * The learning-rate range test (arXiv 1506.01186): trains a copy while the rate rises, until the loss diverges.
 *
 * @returns The curve and what fastai's four rules read off it, all on the logarithm of the rate.
 */
export async function rangeTest<P extends Tree, B>(
  problem: Problem<P, B>,
  options: RangeTestOptions,
): Promise<RangeTest> {
  return onScene(problem, options, (scene) => runRangeTest(scene, options));
}

/** `rangeTest` on a scene that others use too. */
export async function runRangeTest<P extends Tree, B>(
  scene: Scene<P, B>,
  options: RangeTestOptions,
): Promise<RangeTest> {
  const { from = 1e-7, to = 10, steps = 100, spacing = 'exponential', smoothing = 0.9, stopAt = 4 } = options;
  checkNumber('from', from, { positive: true });
  checkNumber('to', to, { min: from });
  checkNumber('steps', steps, { min: 6, integer: true });
  checkNumber('smoothing', smoothing, { min: 0, max: 0.9999 });
  checkNumber('stopAt', stopAt, { min: 1 });
  const before = scene.cost;
  const rateAt = (step: number): number => {
    const share = step / (steps - 1);
    return spacing === 'exponential' ? from * (to / from) ** share : from + (to - from) * share;
  };
  const optimizer: GradientTransformation = options.optimizer(rateAt);
  const points: LinePoint[] = [];
  const smoothed: LinePoint[] = [];
  let params = treeClone(scene.problem.params);
  let slots = optimizer.init(params);
  const state = scene.state();
  let [average, best, diverged] = [0, Number.POSITIVE_INFINITY, false];
  try {
    for (let step = 0; step < steps && !diverged; step++) {
      const rate = rateAt(step);
      const moved = await stepOn(scene, optimizer, { params, slots, state, step });
      ({ params, slots } = moved);
      const { loss } = moved;
      points.push({ rate, loss });
      scene.tell({ probe: 'rangeTest', done: step + 1, total: steps, rate, loss });
      average = smoothing * average + (1 - smoothing) * loss;
      const corrected = average / (1 - smoothing ** (step + 1));
      diverged = !Number.isFinite(corrected) || corrected > best + (stopAt - 1) * Math.abs(best);
      if (Number.isFinite(corrected)) smoothed.push({ rate, loss: corrected });
      best = Math.min(best, corrected);
    }
  } finally {
    treeDispose([params, slots]);
    state.dispose();
  }
  return {
    suggestions: suggestRates(smoothed),
    points,
    smoothed,
    diverged,
    cost: costSince(before, scene.cost),
  };
}
