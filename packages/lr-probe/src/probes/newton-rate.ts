import { type Tree, treeDispose } from '@frugal/tensor';
import { checkNumber, ProbeError } from '../errors.ts';
import type { OptimizerFactory, OptimizerPosition, ProbeCost, ProbeOptions, Problem } from '../problem.ts';
import { onScene, type Scene } from '../scene.ts';
import type { LinePoint } from './critical-rate.ts';
import { findDirection, moveAlong } from './direction.ts';

/** Options of `newtonRate`. */
export interface NewtonRateOptions extends ProbeOptions {
  readonly optimizer: OptimizerFactory;
  /** How far the two extra points stand from the parameters, as a rate. Default: what lowers the loss by a hundredth along the slope. */
  readonly width?: number;
  /** Examples that the loss is taken on. Default: the batch of the gradient. */
  readonly examples?: number;
  readonly position?: OptimizerPosition;
}

/** The minimum of a parabola along the update. */
export interface NewtonRate {
  readonly rate: number;
  /** The second derivative of the loss along the update. */
  readonly curvature: number;
  /** At −width, 0 and width. */
  readonly points: readonly LinePoint[];
  readonly cost: ProbeCost;
}

/**
 * The generalised Newton rate (arXiv 2407.02772): the minimum of the parabola through the loss at w − ηu, w and w + ηu, u the
 * optimizer's update: η* = (η / 2) · (L₋ − L₊) / (L₊ − 2 L₀ + L₋). Two forward passes beside the gradient.
 *
 * @throws {ProbeError} `NOT_FINITE`; `NOT_CONVEX` where the parabola has no minimum ahead.
 */
export async function newtonRate<P extends Tree, B>(
  problem: Problem<P, B>,
  options: NewtonRateOptions,
): Promise<NewtonRate> {
  return onScene(problem, options, (scene) => findNewtonRate(scene, options));
}

/** `newtonRate` on a scene that others use too. */
export async function findNewtonRate<P extends Tree, B>(
  scene: Scene<P, B>,
  { optimizer, examples, position, ...options }: NewtonRateOptions,
): Promise<NewtonRate> {
  const { params } = scene.problem;
  const direction = await findDirection(scene, optimizer, position);
  const { loss, slope } = direction;
  try {
    const width = checkNumber('width', options.width ?? Math.abs((0.01 * loss) / slope), { positive: true });
    const batches = examples === undefined ? [await scene.batch(0)] : await scene.batchesOf(examples);
    const points: LinePoint[] = [];
    for (const rate of [-width, 0, width]) {
      if (rate === 0 && examples === undefined) {
        points.push({ rate, loss });
        continue;
      }
      const moved = scene.update(() => moveAlong(params, direction, rate));
      try {
        points.push({ rate, loss: await scene.loss(moved, batches) });
      } finally {
        treeDispose(moved);
      }
      scene.tell({ probe: 'newtonRate', done: points.length, total: 3, ...points.at(-1)! });
    }
    const [behind, here, ahead] = points.map((point) => point.loss) as [number, number, number];
    const bend = ahead - 2 * here + behind;
    const rate = (width / 2) * ((behind - ahead) / bend);
    if (!Number.isFinite(bend)) {
      throw new ProbeError('NOT_FINITE', `the losses at ±${width} are ${behind} and ${ahead}. Pass a smaller width.`);
    }
    if (!(bend > 0 && rate > 0)) {
      throw new ProbeError(
        'NOT_CONVEX',
        `the losses at ${-width}, 0 and ${width} are ${behind}, ${here} and ${ahead}: no parabola with a minimum ahead.`,
      );
    }
    return { rate, curvature: bend / width ** 2, points, cost: scene.cost };
  } finally {
    treeDispose(direction.update);
  }
}
