import type { Context } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';

/** A dense layer of the network that teaches: `weight` [in, out]. */
export type Affine = { readonly weight: tf.Tensor2D; readonly bias?: tf.Tensor1D };

/** What stood where a boosted layer stands: a two-layer network with the layer's activation, or a projection. */
export type Replaced = { readonly fc1: Affine; readonly fc2: Affine } | Affine;

/** How a boosted layer is to be taught, by the layer that it replaces and by itself. */
export interface Teaching {
  /** The learners (phase 1), or the gate (phase 2). */
  readonly what: 'learners' | 'gate';
  /** Of the labels for gates, see `gateLoss`. */
  readonly factor: number;
  replaced(path: string): Replaced;
  /** Takes the loss of each token of a layer [tokens]; the receiver keeps what it needs. */
  report(path: string, loss: tf.Tensor): void;
}

interface TaughtContext extends Context {
  readonly teaching?: Teaching;
}

/** A context in which boosted layers are taught; they give the output of what they replaced. */
export function whileTeaching(teaching: Teaching, ctx: Context): Context {
  const taught: TaughtContext = { ...ctx, teaching };
  return taught;
}

export function teachingOf(ctx: Context | undefined): Teaching | undefined {
  return (ctx as TaughtContext | undefined)?.teaching;
}
