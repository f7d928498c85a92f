import {
  FrugalError,
  foldIn,
  type Key,
  randomPermutation,
  type TangentTree,
  type Tree,
  treeEntries,
  treeLeaves,
  treeUnflatten,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { DenseNoise } from './dense.ts';
import type { LeafNoise, NoiseKind } from './noise.ts';
import { PackedSignsNoise } from './packed-signs.ts';
import { RankOneNoise } from './rank-one.ts';
import { RankOneGradient } from './rank-one-gradient.ts';

/** How parameters are perturbed. */
export interface DirectionOptions {
  /** Default `'signs'`: less variance than `'normal'`, and one random bit per number. */
  noise?: NoiseKind;
  /**
   * `'rankOne'` (default): weights of rank 2 or more are perturbed by u vᵀ, which costs no dense tangent, no dense
   * gradient and, with signs, no variance. `'dense'`: independent numbers for every entry; one direction of
   * signs at a matrix is made from the key wherever it is needed, and not stored.
   */
  structure?: 'rankOne' | 'dense';
  /** Directions per step, K; all go through one pass. Default 1. */
  directions?: number;
  /**
   * Perturbs one block of parameters per step, drawn from the key: the name of the block that a path such as
   * `'0.weight'` belongs to. Layers before it cost nothing more; the estimate is multiplied by the number of blocks.
   */
  blocks?: (path: string) => string;
}

/** The checked options of directions. */
export interface DirectionSettings extends Required<Omit<DirectionOptions, 'blocks'>> {
  readonly blocks: ((path: string) => string) | undefined;
}

/** Checks options and fills in defaults. */
export function directionSettings(options: DirectionOptions): DirectionSettings {
  const { noise = 'signs', structure = 'rankOne', directions = 1, blocks } = options;
  if (!['signs', 'normal'].includes(noise)) {
    throw new FrugalError('BAD_OPTION', `noise must be 'signs' or 'normal', got '${String(noise)}'.`);
  }
  if (!['rankOne', 'dense'].includes(structure)) {
    throw new FrugalError('BAD_OPTION', `structure must be 'rankOne' or 'dense', got '${String(structure)}'.`);
  }
  if (!Number.isSafeInteger(directions) || directions < 1) {
    throw new FrugalError('BAD_OPTION', `directions must be an integer of at least 1, got ${directions}.`);
  }
  return { noise, structure, directions, blocks };
}

/** Streams that belong to an estimator, apart from those that modules derive from the same key. */
const TANGENTS = 0x74616e67;
const BLOCK = 0x626c6f63;

/** K random directions in parameter space; equal keys give equal directions on every backend (signs: equal bits). */
export class Directions {
  readonly count: number;
  /** 1, or the number of blocks: what the estimate is to be multiplied by. */
  readonly blocks: number;
  readonly #params: Tree;
  readonly #leaves: readonly (LeafNoise | undefined)[];

  constructor(params: Tree, key: Key, { noise, structure, directions, blocks }: DirectionSettings) {
    const entries = treeEntries(params);
    const names = blocks === undefined ? undefined : [...new Set(entries.map(([path]) => blocks(path)))];
    const chosen = names?.[randomPermutation(foldIn(key, BLOCK), names.length)[0]!];
    this.count = directions;
    this.blocks = names?.length ?? 1;
    this.#params = params;
    const parent = foldIn(key, TANGENTS);
    this.#leaves = entries.map(([path, p], i) => {
      if (p.dtype !== 'float32') {
        throw new FrugalError('NOT_FLOAT', `The parameter '${path}' is ${p.dtype}; only float32 can be perturbed.`);
      }
      if (blocks !== undefined && blocks(path) !== chosen) return undefined;
      const own = foldIn(parent, i);
      if (structure === 'rankOne' && p.rank >= 2) return new RankOneNoise(own, noise, p.shape, directions);
      const unstored = noise === 'signs' && p.rank === 2 && directions === 1;
      return unstored ? new PackedSignsNoise(own, p.shape) : new DenseNoise(own, noise, p.shape, directions);
    });
  }

  /** For `jvp` (one direction) or `jvpMany`. */
  get tangents(): TangentTree {
    return treeUnflatten(
      this.#params,
      this.#leaves.map((leaf) => leaf?.tangent ?? null),
    ) as unknown as TangentTree;
  }

  /** Σₖ coefficients[k] · vₖ as a tree of gradients. */
  gradient(coefficients: tf.Tensor1D): UpdateTree {
    const shapes = treeEntries(this.#params).map(([, p]) => p.shape);
    return treeUnflatten(
      this.#params as UpdateTree,
      this.#leaves.map((leaf, i) => leaf?.gradient(coefficients) ?? new RankOneGradient(undefined, shapes[i]!)),
    );
  }

  /** vₖ · x over all leaves, [K]; `x` has the structure of the parameters. */
  dot(x: Tree): tf.Tensor1D {
    return tf.tidy(() => {
      const leaves = treeLeaves(x) as tf.Tensor[];
      const parts = this.#leaves.flatMap((leaf, i) => (leaf === undefined ? [] : [leaf.dot(leaves[i]!)]));
      return tf.addN(parts) as tf.Tensor1D;
    });
  }

  /** How many numbers are perturbed, d. */
  get size(): number {
    return treeLeaves(this.#params).reduce((sum, p, i) => sum + (this.#leaves[i] === undefined ? 0 : p.size), 0);
  }

  /** Leaves as a tree like the parameters. */
  like(leaves: readonly tf.Tensor[]): Tree {
    return treeUnflatten(this.#params, leaves);
  }

  /** The inner products of the directions, [K, K]. */
  gram(): tf.Tensor2D {
    return tf.tidy(() => {
      const present = this.#leaves.filter((leaf) => leaf !== undefined);
      return tf.addN(present.map((leaf) => leaf.gram())) as tf.Tensor2D;
    });
  }

  /** params + factor · vₖ; new tensors. */
  shifted<P extends Tree>(params: P, k: number, factor: number): P {
    const moved = treeEntries(params).map(([, p], i) => this.#leaves[i]?.shifted(p, k, factor) ?? tf.clone(p));
    return treeUnflatten(params, moved);
  }

  dispose(): void {
    for (const leaf of this.#leaves) leaf?.dispose();
  }
}
