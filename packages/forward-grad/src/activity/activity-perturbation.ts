import {
  type Context,
  type Estimate,
  FrugalError,
  foldIn,
  type GradientEstimator,
  jvp,
  type Key,
  type LossFunction,
  randomSigns,
  type Tangent,
  type TangentTree,
  type Tree,
  treeEntries,
  treeUnflatten,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { GradientLeaf } from '../noise/noise.ts';
import { weightGradient } from '../noise/rank-one-gradient.ts';
import { ActivityTangent } from './activity-tangent.ts';
import { findLayers, type WeightedLayer } from './layers.ts';

const NOISE = 0x61637469;

/**
 * Forward gradients by moving what each layer puts out, instead of its weights: per example, and per token or pixel.
 *
 *     z = x W,  ż = u (±1 for every entry),  sₙ = derivative of example n's loss,  gradient of W = (1/B) Σₙ xₙᵀ (sₙ uₙ)
 *
 * One forward-mode pass through the whole model, then an outer product per layer. Every example has directions of its own
 * in the much smaller space of activities, so that the variance is about (batch · fan-in) times below that of
 * `weightPerturbation`. All layers share one scalar per example: for deep or wide models use `localLearning`.
 *
 * Works for any model whose weights (rank 2 or more) each take part in one product, convolution or look-up of rows, the
 * examples first; biases are found beside their weights as `bias`. Other parameters are perturbed themselves.
 *
 * @returns An estimator for any loss that is a vector over examples which do not depend on each other (no batch norm).
 * @throws {FrugalError} When called: `UNSUPPORTED_LAYER` naming the parameter, `NOT_FLOAT`, or what `jvp` throws.
 * arXiv 2210.03310 (FG-A)
 */
export function activityPerturbation(): GradientEstimator {
  return <P extends Tree, B>(
    loss: LossFunction<P, B>,
    params: P,
    batch: B,
    key: Key,
    ctx: Omit<Context, 'key'> = { train: true },
  ): Estimate => {
    const run = (): Estimate => estimate((p: P) => loss(p, batch, { ...ctx, key }), params, foldIn(key, NOISE));
    return tf.tidy(run as unknown as () => tf.TensorContainer) as unknown as Estimate;
  };
}

function estimate<P extends Tree>(f: (params: P) => tf.Tensor1D, params: P, key: Key): Estimate {
  const entries = treeEntries(params as Tree);
  const { layers, others } = findLayers(params);
  const tangents: (Tangent | null)[] = entries.map(() => null);
  const moved = layers.map(({ path, weight }) => {
    const noise = (rows: number, columns: number): tf.Tensor => randomSigns(foldIn(key, weight), [rows, columns]);
    const tangent = new ActivityTangent(path, entries[weight]![1].shape, noise);
    tangents[weight] = tangent;
    return tangent;
  });
  for (const i of others) {
    const [path, leaf] = entries[i]!;
    if (leaf.dtype !== 'float32') {
      throw new FrugalError('NOT_FLOAT', `The parameter '${path}' is ${leaf.dtype}; only float32 can be perturbed.`);
    }
    tangents[i] = randomSigns(foldIn(key, i), leaf.shape);
  }
  try {
    const [losses, scalars] = jvp(f, [params], [treeUnflatten(params as Tree, tangents) as TangentTree]);
    const gradients: GradientLeaf[] = entries.map(([, leaf]) => leaf);
    for (const [l, layer] of layers.entries()) layerGradients(layer, moved[l]!, scalars, gradients);
    const mean = tf.mean(scalars);
    for (const i of others) gradients[i] = tf.mul(tangents[i] as tf.Tensor, mean);
    return { loss: tf.mean(losses), grads: treeUnflatten<UpdateTree, GradientLeaf>(params, gradients) };
  } finally {
    for (const tangent of moved) tangent.dispose();
  }
}

/** Puts the gradients of a layer's weight and bias in their places, where the parameters still stand. */
function layerGradients(
  layer: WeightedLayer,
  tangent: ActivityTangent,
  scalars: tf.Tensor1D,
  at: GradientLeaf[],
): void {
  const { path, weight, bias } = layer;
  if (!tangent.used) {
    for (const i of [weight, bias]) if (i !== undefined) at[i] = tf.zeros([...at[i]!.shape]);
    return;
  }
  const { x, u } = tangent.activity;
  const batch = scalars.size;
  if (u.shape[0] % batch !== 0) {
    throw new FrugalError(
      'UNSUPPORTED_LAYER',
      `The layer of '${path}' has ${u.shape[0]} rows for a batch of ${batch}; it needs as many for each example.`,
    );
  }
  const perExample = tf.mul(tf.reshape(u, [batch, -1]), tf.mul(tf.reshape(scalars, [batch, 1]), 1 / batch));
  const g = tf.reshape(perExample, u.shape) as tf.Tensor2D;
  at[weight] = weightGradient(x, g, at[weight]!.shape);
  if (bias !== undefined) at[bias] = tf.sum(g, 0);
}
