import type { Tensor } from '@tensorflow/tfjs-core';

/** Parameters, gradients, optimizer state, batches: nested plain objects and arrays with tensors at the leaves. */
export type Tree = Tensor | readonly Tree[] | { readonly [name: string]: Tree };

/**
 * A gradient leaf that is not stored densely, such as a rank-one or a regenerated one.
 *
 * It stands in a tree where a tensor would. Whoever cannot use its structure calls `materialize`.
 */
export interface StructuredLeaf {
  /** What the structure is, e.g. `'rankOne'` or `'signs'`. */
  readonly kind: string;
  readonly shape: readonly number[];
  /** Returns the dense tensor; the caller owns it. */
  materialize(): Tensor;
  /** `factor` times this leaf, as a leaf of its own (each is disposed apart). */
  scale?(factor: number): StructuredLeaf;
  /** target + factor · leaf without a dense copy of the leaf; `target` is donated and disposed (a `tf.Variable` is not). */
  addTo?(target: Tensor, factor: number): Tensor;
  /** Frees what the leaf holds. */
  dispose(): void;
}

/** A tree of gradients or updates: like the parameters, with tensors or structured leaves. */
export type UpdateTree = Tensor | StructuredLeaf | readonly UpdateTree[] | { readonly [name: string]: UpdateTree };
