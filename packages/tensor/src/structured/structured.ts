import type { Tensor } from '@tensorflow/tfjs-core';
import type { StructuredLeaf } from '../seams/index.ts';

/**
 * A structured leaf that can be a tangent: it travels with its primal through `Reshape` and `Identity`, and products,
 * convolutions and look-ups use it as it is. Everything else takes `materialize()`.
 *
 * With an axis of directions in front (`jvpMany`), its shape is [K, …], and so are the results below.
 */
export interface StructuredTangent extends StructuredLeaf {
  /** The same numbers in another shape (axis of directions included), or undefined where the structure gets lost. */
  reshape?(shape: readonly number[]): StructuredTangent | undefined;
  /**
   * x · T, or x · Tᵀ with `transposed`, for a matrix T [n, m] and x [r, n] (or [r, m]): [r, m] ([K, r, m]).
   *
   * With `into`, adds to it; that one is donated.
   */
  product?(x: Tensor, transposed: boolean, into?: Tensor): Tensor;
  /**
   * A linear operator with T as its filter, whose last axis counts outputs: `apply` gets filters with other numbers of
   * outputs, and what it returns is put together.
   */
  asFilter?(apply: (filter: Tensor) => Tensor): Tensor;
  /** The rows `indices` of T [n, m]: [...indices.shape, m]. */
  rows?(indices: Tensor): Tensor;
}
