import { type GradientTransformation, type Tree, treeClone, treeDispose, type UpdateTree } from '@frugal/tensor';
import { checkNumber } from '../errors.ts';
import { type GradientNoise, RunningNoise } from '../noise/running.ts';
import type { OptimizerFactory, ProbeCost, ProbeOptions, Problem } from '../problem.ts';
import { costSince, examplesIn, onScene, type Scene } from '../scene.ts';
import { type ScheduleShape, warmCosine } from '../schedule.ts';
import { stepOn } from './step.ts';

/** How a miniature run is made. */
export interface MiniatureOptions {
  readonly optimizer: OptimizerFactory;
  /** Steps of the miniature. */
  readonly steps: number;
  /** The schedule in small. Default: seven tenths of the steps warm-up, then a cosine to 0; see `rise` of `miniatureRuns`. */
  readonly schedule?: ScheduleShape;
  /** Examples that the final loss is taken on. Default 1,024. */
  readonly examples?: number;
  /** The loss at the start, if it is known. */
  readonly start?: number;
  /** Share of the steps that the loss may stand above twice its start before the run ends, for a catapult comes back. Default 0.1. */
  readonly patience?: number;
}

/** A short copy of a whole run. */
export interface Miniature {
  /** The peak of its schedule. */
  readonly rate: number;
  /** On `examples` examples after the last step; infinite where the run diverged. */
  readonly loss: number;
  /** The training loss of each step that was made. */
  readonly losses: readonly number[];
  readonly diverged: boolean;
  /** Of the gradients of its last fifth, where the rate is low and the run nearly stands still; undefined where it diverged. */
  readonly noise: GradientNoise | undefined;
  readonly cost: ProbeCost;
}

/**
 * A short copy of the whole schedule from the same parameters, with fresh slots, on the first batches of the run.
 *
 * Runs of one scene share their batches, so that they differ by the rate alone. It stops as soon as it has diverged: the
 * training loss is not finite, or above twice the loss at the start for longer than `patience`.
 */
export async function runMiniature<P extends Tree, B>(
  scene: Scene<P, B>,
  rate: number,
  options: MiniatureOptions,
): Promise<Miniature> {
  const { steps, schedule = warmCosine(0.7), examples = 1024, patience = 0.1 } = options;
  checkNumber('rate', rate, { positive: true });
  checkNumber('steps', steps, { min: 1, integer: true });
  checkNumber('patience', patience, { min: 0, max: 1 });
  const before = scene.cost;
  const optimizer = options.optimizer(schedule(rate, steps));
  const losses: number[] = [];
  let params = treeClone(scene.problem.params);
  let slots = optimizer.init(params);
  const state = scene.state();
  const noise = new RunningNoise();
  const quiet = steps - Math.max(4, Math.round(steps / 5));
  try {
    let above = 0;
    let ceiling = options.start === undefined ? Number.NaN : ceilingOf(options.start);
    for (let step = 0; step < steps; step++) {
      const note = (grads: UpdateTree): void => scene.note(() => noise.add(grads));
      const copy = { params, slots, state, step };
      const moved = await stepOn(scene, optimizer, copy, step >= quiet ? note : undefined);
      ({ params, slots } = moved);
      losses.push(moved.loss);
      scene.tell({ probe: 'miniature', done: step + 1, total: steps, rate, loss: moved.loss });
      if (Number.isNaN(ceiling)) ceiling = ceilingOf(moved.loss);
      above = moved.loss <= ceiling ? 0 : above + 1;
      if (!Number.isFinite(moved.loss) || above > patience * steps) break;
    }
    const ended = losses.length === steps && losses.at(-1)! <= ceiling;
    const loss = ended ? await finalLoss(scene, optimizer, slots, params, examples) : Number.POSITIVE_INFINITY;
    const diverged = !(loss <= ceiling);
    return {
      rate,
      loss: diverged ? Number.POSITIVE_INFINITY : loss,
      losses,
      diverged,
      noise: diverged ? undefined : await noise.read(examplesIn(await scene.batch(0))),
      cost: costSince(before, scene.cost),
    };
  } finally {
    treeDispose([params, slots]);
    noise.dispose();
    state.dispose();
  }
}

/** Twice a loss, also where it is negative. */
const ceilingOf = (start: number): number => start + Math.abs(start);

/** With the noise and the batch statistics of training: running statistics mean nothing after a few steps. */
async function finalLoss<P extends Tree, B>(
  scene: Scene<P, B>,
  optimizer: GradientTransformation,
  slots: Tree,
  params: P,
  examples: number,
): Promise<number> {
  const shipped = optimizer.evaluationParams?.(slots, params);
  try {
    return await scene.loss(shipped ?? params, await scene.batchesOf(examples));
  } finally {
    if (shipped !== undefined) treeDispose(shipped);
  }
}

/** Options of `miniature`. */
export interface MiniatureProbeOptions extends MiniatureOptions, ProbeOptions {
  /** The peaks to try. */
  readonly rates: readonly number[];
}

/** Short copies of the whole schedule at several rates, one after the other: see `runMiniature`. */
export async function miniature<P extends Tree, B>(
  problem: Problem<P, B>,
  options: MiniatureProbeOptions,
): Promise<Miniature[]> {
  return onScene(problem, options, async (scene) => {
    const runs: Miniature[] = [];
    for (const rate of options.rates) runs.push(await runMiniature(scene, rate, options));
    return runs;
  });
}
