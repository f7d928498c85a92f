import type { Lesson, Tree } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';

/** A dense layer of the network that teaches: `weight` [in, out]. */
export type Affine = { readonly weight: tf.Tensor2D; readonly bias?: tf.Tensor1D };

/** What stood where a boosted layer stands: a two-layer network with the layer's activation, or a projection. */
export type Replaced = { readonly fc1: Affine; readonly fc2: Affine } | Affine;

/** How a boosted layer is taught, by the layer that it replaces: its learners (phase 1), or its gate (phase 2). */
export interface Teaching extends Lesson {
  readonly what: 'learners' | 'gate';
  /** Parameters of the dense network. */
  readonly trained: Tree;
  /** Of the labels for gates, see `gateLoss`. */
  readonly factor: number;
}
