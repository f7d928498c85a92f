import {
  type Event,
  FrugalError,
  foldIn,
  type GradientTransformation,
  type Key,
  randomPermutation,
  type Schedule,
  type Tree,
  treeDispose,
  treeEntries,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { keepPruned } from './keep-pruned.ts';
import { checkMasks, type Masks, type Prunable, weightsOnly } from './masks.ts';
import { randomMasks } from './prune.ts';
import { smallest } from './select.ts';

/** Where weights are grown: by the magnitude of their gradient (RigL), or at random (SET). */
export type GrowBy = { readonly grads: Tree } | { readonly key: Key };

/**
 * Moves connections: each layer loses the `share` of its weights that are smallest in magnitude, and gets as many others.
 *
 * By gradient it is RigL (arXiv 1911.11134), at random SET (arXiv 1707.04780). New weights start at zero, as masked training holds what was
 * cut at zero; a layer keeps its number of weights.
 *
 * @param share In [0, 1], of the weights that a layer has left.
 * @returns New masks; the caller owns them, and the old ones.
 * @throws {FrugalError} `BAD_OPTION`, `MASK_MISMATCH`; `BAD_SCORES` for a weight or gradient that is NaN.
 */
export async function regrowMasks(params: Tree, masks: Masks, share: number, grow: GrowBy): Promise<Masks> {
  if (!(share >= 0 && share <= 1)) {
    throw new FrugalError('BAD_OPTION', `regrowMasks: share must be in [0, 1], got ${share}.`);
  }
  checkMasks(masks, params);
  const weights = new Map(treeEntries(params));
  const gradients = 'grads' in grow ? new Map(treeEntries(grow.grads)) : undefined;
  const regrown: [string, Uint8Array][] = [];
  for (const [i, [path, mask]] of Object.entries(masks).entries()) {
    const alive = Uint8Array.from((await mask.data()) as Float32Array);
    const magnitudes = Float32Array.from((await weights.get(path)!.data()) as Float32Array, Math.abs);
    const left = alive.reduce((sum, one) => sum + one, 0);
    const moving = Math.min(Math.round(share * left), alive.length - left);
    for (const at of smallest(magnitudes, alive, moving)) alive[at] = 0;
    // The largest gradients among what is dead are the smallest of their negatives.
    const wanted =
      gradients === undefined
        ? Float32Array.from(randomPermutation(foldIn((grow as { key: Key }).key, i), alive.length))
        : Float32Array.from((await gradients.get(path)!.data()) as Float32Array, (g) => -Math.abs(g));
    const dead = alive.map((one) => 1 - one);
    for (const at of smallest(wanted, dead, moving)) alive[at] = 1;
    regrown.push([path, alive]);
  }
  return Object.fromEntries(
    regrown.map(([path, alive]) => [path, tf.tensor(Float32Array.from(alive), masks[path]!.shape, 'float32')]),
  );
}

/** Share of weights that move at a step: half a cosine from `share` to 0 at `end`, as RigL has it. */
export function regrowthShare({ share = 0.3, end }: { share?: number; end: number }): Schedule {
  return (step) => (step >= end ? 0 : (share / 2) * (1 + Math.cos((Math.PI * step) / end)));
}

/** Options of `erdosRenyiMasks`. */
export interface ErdosRenyiOptions {
  readonly key: Key;
  /** Default: parameters of rank 2 and more. */
  readonly prunable?: Prunable;
}

/**
 * Random masks whose layers are as dense as the sum of their sizes over the product (Erdős–Rényi with kernels, arXiv 1911.11134).
 *
 * Density of a layer = min(1, ε · (Σ sizes) / (Π sizes)), with ε such that all layers together reach `sparsity`: small layers stay dense.
 *
 * @param sparsity In [0, 1).
 * @returns Masks to start a sparse training from; the caller owns them.
 * @throws {FrugalError} `BAD_OPTION`.
 */
export async function erdosRenyiMasks(params: Tree, sparsity: number, options: ErdosRenyiOptions): Promise<Masks> {
  if (!(sparsity >= 0 && sparsity < 1)) {
    throw new FrugalError('BAD_OPTION', `erdosRenyiMasks: sparsity must be in [0, 1), got ${sparsity}.`);
  }
  const { key, prunable = weightsOnly } = options;
  const layers = treeEntries(params)
    .filter(([path, leaf]) => prunable(path, leaf as tf.Tensor))
    .map(([path, { shape, size }]) => ({ path, size, raw: shape.reduce((sum, one) => sum + one, 0) / size }));
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  const dense = new Set<string>();
  let epsilon = 0;
  // A layer that would need more than all of its weights is dense, and the others share what is left.
  for (let before = -1; before !== dense.size; ) {
    before = dense.size;
    const open = layers.filter(({ path }) => !dense.has(path));
    const full = layers.reduce((sum, { path, size }) => sum + (dense.has(path) ? size : 0), 0);
    epsilon = ((1 - sparsity) * total - full) / open.reduce((sum, { raw, size }) => sum + raw * size, 0);
    for (const { path, raw } of open) if (epsilon * raw > 1) dense.add(path);
  }
  const density = new Map(layers.map(({ path, raw }) => [path, dense.has(path) ? 1 : epsilon * raw]));
  return randomMasks(params, (path) => ({ sparsity: 1 - density.get(path)! }), { key, scope: 'layer', prunable });
}

/** Options of `sparseFromStart`. */
export interface SparseFromStartOptions {
  /** Steps between two regrowths. Default 100. */
  every?: number;
  /** Share of weights that move at a step, e.g. `regrowthShare({ end })`. */
  share: Schedule;
  /** RigL: the gradient of the loss on some examples, a tree that this disposes. SET: a key. */
  grow: ((params: Tree, step: number) => Tree | Promise<Tree>) | Key;
}

/** A training that is sparse from its first step on. */
export interface SparseFromStart {
  /** The optimizer under the masks of the moment. */
  optimizer<S extends Tree>(inner: GradientTransformation<S>): GradientTransformation<S>;
  /** For `hooks` of `train`; in a loop of your own call `regrow` after a step. */
  readonly hook: { readonly name: string; onEvent(event: Event, run: { readonly params: Tree }): Promise<void> };
  /** Moves connections where the step is one of `every`. */
  regrow(params: Tree, step: number): Promise<void>;
  /** The masks of the moment; they stay this object's. */
  readonly masks: Masks;
  /** Frees the masks. */
  dispose(): void;
}

/**
 * Trains a sparse net without ever training a dense one, moving its connections on the way (RigL or SET).
 *
 * @param masks To start from, e.g. of `erdosRenyiMasks`; taken over.
 */
export function sparseFromStart(masks: Masks, options: SparseFromStartOptions): SparseFromStart {
  const { every = 100, share, grow } = options;
  let now = masks;
  async function regrow(params: Tree, step: number): Promise<void> {
    if (step === 0 || step % every !== 0 || share(step) === 0) return;
    const by: GrowBy = typeof grow === 'function' ? { grads: await grow(params, step) } : { key: foldIn(grow, step) };
    const next = await regrowMasks(params, now, share(step), by);
    if ('grads' in by) treeDispose(by.grads);
    treeDispose(now);
    now = next;
  }
  return {
    optimizer: (inner) => keepPruned(inner, () => now),
    hook: {
      name: 'sparseFromStart',
      onEvent: (event, { params }) => (event.type === 'step' ? regrow(params, event.step) : Promise.resolve()),
    },
    regrow,
    get masks() {
      return now;
    },
    dispose: () => treeDispose(now),
  };
}
