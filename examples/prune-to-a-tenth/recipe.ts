import { adamw, classification, cosine, distillation, type Hook, type Listener, train } from '@frugal/core-trainer';
import type { Mnist } from '@frugal/datasets';
import { type Lesson, lesson, recipeOf } from '@frugal/example-mnist';
import { geometricSparsity, keepPruned, type Masks, magnitudeMasks } from '@frugal/sparsity-metrics';
import { foldIn, type GradientTransformation, key, type Module, type Tree, treeDispose } from '@frugal/tensor';

/** MNIST in batches of 100, as the pruning papers have it; 5,000 images are kept apart to choose by. */
export function images(mnist: Mnist, seed: number, size = 55_000): Lesson {
  return lesson(mnist, { ...recipeOf('mlp', false), batchSize: 100, images: size }, seed);
}

/** One training: AdamW from fresh state, warm-up and a cosine to zero. */
export interface Phase {
  readonly epochs: number;
  readonly peak: number;
  readonly seed: number;
  /** Where to go on from; fresh parameters without. */
  readonly params?: Tree;
  /** What stays cut. */
  readonly masks?: Masks;
  /** Trained parameters whose answers are learned beside the labels (arXiv 1503.02531). */
  readonly teacher?: Tree;
  /** Whose parameters those are. Default: the same model's. */
  readonly teacherModel?: Module;
  readonly weightDecay?: number;
  readonly hooks?: readonly Hook[];
  readonly listeners?: readonly Listener[];
  /** Wraps the optimizer; `masks` does so for masks that do not change. */
  readonly optimizer?: (plain: GradientTransformation) => GradientTransformation;
}

/** How much a teacher says. */
const TAUGHT = { share: 0.9, temperature: 4 };

/** Trains, and returns the parameters; those of `phase.params` stay the caller's. */
export async function fit<P extends Tree>(model: Module<P>, data: Lesson, phase: Phase): Promise<P> {
  const { epochs, peak, seed, params, masks, teacher, weightDecay = 0.01, hooks = [], listeners = [] } = phase;
  const wrap = phase.optimizer ?? ((plain) => (masks === undefined ? plain : keepPruned(plain, masks)));
  const steps = epochs * data.train.batchesPerEpoch;
  const teaches = phase.teacherModel ?? (model as unknown as Module);
  const task = classification();
  const taught = (from: Tree) => distillation(task, (x) => teaches.apply(from, x), TAUGHT);
  const objective = teacher === undefined ? task : taught(teacher);
  const run = train({
    model,
    objective: objective as typeof task,
    optimizer: wrap(adamw(cosine(peak, { steps, warmup: Math.min(100, steps >> 3) }), { weightDecay })),
    data: data.train,
    epochs,
    key: foldIn(key(seed), 2),
    hooks,
    listeners,
    ...(params !== undefined && { params: params as P }),
  });
  const result = await run.result;
  treeDispose([result.optimizer, result.state]);
  return result.params;
}

/** How to cut. */
export interface Cut {
  /** One out of so many weights stays. */
  readonly timesFewer: number;
  /** Epochs of training after each cut; each cuts the same share of what is left. */
  readonly epochs: readonly number[];
  readonly peak: number;
  readonly seed: number;
  /** Teaches what is cut, e.g. the net before the cuts. */
  readonly teacher?: Tree;
  /** Called after each round's training. */
  readonly after?: (round: number, params: Tree, masks: Masks) => Promise<void> | void;
}

/**
 * Cuts by magnitude over all layers together, in rounds with training between (arXiv 1506.02626).
 *
 * @returns What is left, with its masks; the parameters given stay the caller's.
 */
export async function cutInRounds<P extends Tree>(
  model: Module<P>,
  trained: P,
  data: Lesson,
  { timesFewer, epochs, peak, seed, teacher, after }: Cut,
): Promise<{ params: P; masks: Masks }> {
  const sparsity = geometricSparsity(1 - 1 / timesFewer, epochs.length);
  let params = trained;
  let masks: Masks = {};
  for (const [round, length] of epochs.entries()) {
    const more = await magnitudeMasks(params, { sparsity: sparsity(round) }, { masks });
    const phase = { epochs: length, peak, seed: seed + 100 * (round + 1), params, masks: more };
    const next = await fit(model, data, { ...phase, ...(teacher && { teacher }) });
    treeDispose(masks);
    if (params !== trained) treeDispose(params);
    [params, masks] = [next, more];
    await after?.(round, params, masks);
  }
  return { params, masks };
}
