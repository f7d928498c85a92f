import { type Event, FrugalError, type Schedule, type Tree, treeDispose } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { adamPreconditioner } from '../curvature/operators.ts';
import { sharpness } from '../curvature/sharpness.ts';
import { checkNumber } from '../errors.ts';
import type { Problem } from '../problem.ts';
import { isDue, type TrackedRun, type Tracker } from './hook.ts';
import { secondMoments } from './moments.ts';
import { stabilityThreshold, type ThresholdOptions } from './threshold.ts';

/** The sharpness of a run at one step. */
export interface SharpnessPoint {
  readonly step: number;
  /** As the run reports it. */
  readonly loss: number | undefined;
  /** The largest eigenvalue of the (preconditioned) Hessian. */
  readonly sharpness: number;
  /** What the optimizer bears at this step's rate, e.g. 2/η. */
  readonly threshold: number;
}

/** Options of `trackSharpness`. */
export interface TrackSharpnessOptions extends ThresholdOptions {
  /** Steps between two looks. Default 10. */
  readonly every?: number;
  /** The rate of a step. Default: what the run reports as `learningRate`. */
  readonly rate?: Schedule;
  /** β₂ of Adam. Default 0.999. */
  readonly beta2?: number;
  /** The diagonal that the optimizer divides by, freed after the look. Default: for `'adam'`, of the second moments in the run's optimizer. */
  readonly preconditioner?: (run: TrackedRun) => Tree;
  /** Examples that the Hessian is taken on. Default: one batch. */
  readonly examples?: number;
  /** Residual ÷ sharpness. Default 1e-3. */
  readonly tolerance?: number;
}

/** A tracker of the sharpness. */
export interface SharpnessTracker extends Tracker {
  readonly points: readonly SharpnessPoint[];
  /** Frees the eigenvector that it keeps as its next guess. */
  dispose(): void;
}

/**
 * Follows the largest eigenvalue of the Hessian along a run, against what the optimizer bears: progressive sharpening, the edge
 * of stability, catapults. Each look starts from the eigenvector of the last, so it needs few products.
 *
 * For Adam that is the preconditioned Hessian, against (2 + 2β)/((1 − β) η).
 *
 * @param problem Its `params` are not used: the run's are.
 * @throws {FrugalError} At a look: `NO_SECOND_MOMENT` for `'adam'` in a loop that does not show the state of one.
 */
export function trackSharpness<P extends Tree, B>(
  problem: Omit<Problem<P, B>, 'params'>,
  options: TrackSharpnessOptions = {},
): SharpnessTracker {
  const { every = 10, rate, beta = 0.9, beta2 = 0.999, examples, tolerance = 1e-3 } = options;
  const { preconditioner = options.optimizer === 'adam' ? adamDiagonal({ beta1: beta, beta2 }) : undefined } = options;
  checkNumber('every', every, { min: 1, integer: true });
  const points: SharpnessPoint[] = [];
  let guess: tf.Tensor1D | undefined;
  return {
    name: 'sharpness',
    points,
    async onEvent(event: Event, run: TrackedRun) {
      if (!isDue(event, every)) return;
      const diagonal = preconditioner?.(run);
      const found = await sharpness({ ...problem, params: run.params as P } as Problem<P, B>, {
        tolerance,
        ...(examples === undefined ? {} : { examples }),
        ...(diagonal === undefined ? {} : { preconditioner: diagonal }),
        ...(guess === undefined ? {} : { start: guess }),
      }).finally(() => treeDispose(diagonal ?? []));
      guess?.dispose();
      guess = found.vectors[0]!;
      tf.dispose(found.vectors.slice(1) as tf.Tensor[]);
      const eta = rate?.(event.step - 1) ?? event.metrics.learningRate ?? Number.NaN;
      const threshold = eta > 0 ? stabilityThreshold(eta, options) : Number.NaN;
      points.push({ step: event.step, loss: event.loss, sharpness: found.sharpness, threshold });
    },
    dispose() {
      guess?.dispose();
      guess = undefined;
    },
  };
}

/** What Adam divides by at a step, from its own state. */
function adamDiagonal(betas: { beta1: number; beta2: number }): (run: TrackedRun) => Tree {
  return ({ optimizer, step }) => {
    const moments = optimizer === undefined ? undefined : secondMoments(optimizer);
    if (moments === undefined) {
      throw new FrugalError(
        'NO_SECOND_MOMENT',
        "trackSharpness found no moments 'm' and 'v' in the run's optimizer. Use core-trainer's loop and adam, or pass `preconditioner`.",
      );
    }
    return adamPreconditioner(moments, { step, ...betas });
  };
}

/** What the early phase of a run looked like. */
export interface EarlyPhase {
  /** The first step at which the sharpness reached its threshold within 5 % (arXiv 2002.09572, 2209.15594). */
  readonly breakEven: number | undefined;
  /** Sharpness at the break-even point, or at the end, ÷ the lowest before it: above 1 is progressive sharpening. */
  readonly sharpening: number;
  /** Mean of sharpness ÷ threshold from the break-even point on: near 1 is the edge of stability. */
  readonly edge: number | undefined;
  /** Steps at which the loss was above its start while the sharpness stood above its threshold and then fell below (arXiv 2003.02218). */
  readonly catapults: readonly number[];
}

/** Reads the phases off what `trackSharpness` saw. */
export function earlyPhase(points: readonly SharpnessPoint[]): EarlyPhase {
  const at = points.findIndex(({ sharpness: value, threshold }) => value >= 0.95 * threshold);
  const until = at < 0 ? points : points.slice(0, at + 1);
  const lowest = until.reduce((least, { sharpness: value }) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const after = at < 0 ? [] : points.slice(at);
  const ratios = after.map(({ sharpness: value, threshold }) => value / threshold);
  const first = points[0]?.loss ?? Number.NaN;
  return {
    breakEven: points[at]?.step,
    sharpening: (until.at(-1)?.sharpness ?? Number.NaN) / lowest,
    edge: ratios.length === 0 ? undefined : ratios.reduce((sum, value) => sum + value, 0) / ratios.length,
    catapults: points
      .filter(({ loss, sharpness: value, threshold }, i) => {
        const fell = points
          .slice(i + 1)
          .some((later) => later.sharpness < later.threshold && (later.loss ?? first) < first);
        return value > threshold && fell && points.slice(i, i + 3).some((near) => (near.loss ?? loss ?? 0) > first);
      })
      .map(({ step }) => step),
  };
}
