import { adamw, classification, cosine, type Listener, lossFunction, train } from '@frugal/core-trainer';
import type { Mnist } from '@frugal/datasets';
import { type Lesson, lesson, recipeOf } from '@frugal/example-mnist';
import { geometricSparsity, keepPruned, type Masks, magnitudeMasks } from '@frugal/sparsity-metrics';
import { foldIn, key, type Module, type Tree, treeDispose } from '@frugal/tensor';

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
  readonly weightDecay?: number;
  readonly listeners?: readonly Listener[];
}

/** Trains, and returns the parameters; those of `phase.params` stay the caller's. */
export async function fit<P extends Tree>(model: Module<P>, data: Lesson, phase: Phase): Promise<P> {
  const { epochs, peak, seed, params, masks, weightDecay = 0.01, listeners = [] } = phase;
  const steps = epochs * data.train.batchesPerEpoch;
  const plain = adamw(cosine(peak, { steps, warmup: Math.min(100, steps >> 3) }), { weightDecay });
  const run = train({
    model,
    loss: lossFunction(model, classification().loss),
    optimizer: masks === undefined ? plain : keepPruned(plain, masks),
    data: data.train,
    epochs,
    key: foldIn(key(seed), 2),
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
  { timesFewer, epochs, peak, seed, after }: Cut,
): Promise<{ params: P; masks: Masks }> {
  const sparsity = geometricSparsity(1 - 1 / timesFewer, epochs.length);
  let params = trained;
  let masks: Masks = {};
  for (const [round, length] of epochs.entries()) {
    const more = await magnitudeMasks(params, { sparsity: sparsity(round) }, { masks });
    const next = await fit(model, data, { epochs: length, peak, seed: seed + 100 * (round + 1), params, masks: more });
    treeDispose(masks);
    if (params !== trained) treeDispose(params);
    [params, masks] = [next, more];
    await after?.(round, params, masks);
  }
  return { params, masks };
}
