import { type Tree, treeDispose } from '@frugal/tensor';
import type { OptimizerFactory, OptimizerPosition, ProbeCost, ProbeOptions, Problem } from '../problem.ts';
import { onScene } from '../scene.ts';
import type { LinePoint } from './critical-rate.ts';
import { findDirection, moveAlong } from './direction.ts';

/** Options of `lineProbe`. */
export interface LineProbeOptions extends ProbeOptions {
  readonly optimizer: OptimizerFactory;
  /** Where to look, as rates; negative ones lie behind. */
  readonly rates: readonly number[];
  /** Examples that the loss is taken on. Default: the batch of the gradient. */
  readonly examples?: number;
  readonly position?: OptimizerPosition;
}

/** The loss along the optimizer's next update, at the rates that are asked for. */
export async function lineProbe<P extends Tree, B>(
  problem: Problem<P, B>,
  { optimizer, rates, examples, position, ...options }: LineProbeOptions,
): Promise<{ readonly points: readonly LinePoint[]; readonly slope: number; readonly cost: ProbeCost }> {
  return onScene(problem, options, async (scene) => {
    const direction = await findDirection(scene, optimizer, position);
    try {
      const batches = examples === undefined ? [await scene.batch(0)] : await scene.batchesOf(examples);
      const points: LinePoint[] = [];
      for (const rate of rates) {
        const moved = scene.update(() => moveAlong(problem.params, direction, rate));
        try {
          points.push({ rate, loss: await scene.loss(moved, batches) });
        } finally {
          treeDispose(moved);
        }
        scene.tell({ probe: 'lineProbe', done: points.length, total: rates.length, ...points.at(-1)! });
      }
      return { points, slope: direction.slope, cost: scene.cost };
    } finally {
      treeDispose(direction.update);
    }
  });
}
