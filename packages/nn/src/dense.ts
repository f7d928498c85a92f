import { differentiable, foldIn, isTapeOpen } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkInput, checkPositive } from './checks.ts';
import { heNormal, type Initializer, zeros } from './initializers.ts';
import type { Affine } from './params.ts';
import type { Layer } from './spec.ts';

/** Parameters of `dense`: `weight` [in, out] and, unless left out, `bias` [out]. */
export type DenseParams<B extends boolean = true> = Affine<tf.Tensor2D, B>;

/** Options of `dense`. */
export interface DenseOptions<B extends boolean = true> {
  /** Whether a bias is added. Default true. */
  bias?: B;
  /** Default `heNormal()`. */
  weightInit?: Initializer;
  /** Default `zeros()`. */
  biasInit?: Initializer;
}

/**
 * A fully connected layer over the last axis: y = x · weight + bias.
 *
 * [..., in] → [..., out]. The weight is [in, out] (PyTorch stores its transpose).
 *
 * @throws {FrugalError} On `apply`, if the last axis of the input is not `inFeatures`.
 */
export function dense<const B extends boolean = true>(
  inFeatures: number,
  outFeatures: number,
  options: DenseOptions<B> = {},
): Layer<DenseParams<B>> {
  const { bias = true, weightInit = heNormal(), biasInit = zeros() } = options;
  checkPositive('dense', { inFeatures, outFeatures });
  const fans = { fanIn: inFeatures, fanOut: outFeatures };
  return {
    spec: { kind: 'dense', inFeatures, outFeatures, bias },
    init(key) {
      const weight = weightInit(foldIn(key, 0), [inFeatures, outFeatures], fans);
      return (bias ? { weight, bias: biasInit(foldIn(key, 1), [outFeatures], fans) } : { weight }) as DenseParams<B>;
    },
    apply(params, x, ctx) {
      checkInput('dense', x, { last: inFeatures }, ctx);
      return linear(x, params);
    },
    applyRelu(params, x, ctx) {
      checkInput('dense', x, { last: inFeatures }, ctx);
      return product(x, params, 'relu');
    },
  };
}

/**
 * x · weight (+ bias) over the last axis, as one product of matrices whatever the rank of `x`.
 *
 * One kernel forward, and backward only the gradients that are asked for, so that a first layer never pays for its data's.
 *
 * @param x [..., in].
 * @returns [..., out].
 */
export function linear(x: tf.Tensor, params: { weight: tf.Tensor; bias?: tf.Tensor }): tf.Tensor {
  if (!isTapeOpen()) return product(x, params, 'linear');
  const { weight, bias } = params;
  const [inFeatures, outFeatures] = weight.shape as [number, number];
  const rows = x.size / inFeatures;
  // Matrices stay as they are: a reshape that changes nothing still goes through the engine.
  const asRows = (tensor: tf.Tensor, columns: number): tf.Tensor2D =>
    x.rank === 2 ? (tensor as tf.Tensor2D) : tf.reshape(tensor, [rows, columns]);
  const asGiven = (tensor: tf.Tensor, shape: number[]): tf.Tensor =>
    x.rank === 2 ? tensor : tf.reshape(tensor, shape);
  return differentiable(
    { x, weight, bias },
    (save) => {
      save([x, weight]);
      return product(x, params, 'linear');
    },
    (dy, [savedX, savedWeight]) => {
      const dRows = asRows(dy, outFeatures);
      return {
        x: () => asGiven(tf.matMul(dRows, savedWeight as tf.Tensor2D, false, true), x.shape),
        weight: () => tf.matMul(asRows(savedX!, inFeatures), dRows, true, false),
        bias: () => tf.sum(dRows, 0),
      };
    },
  );
}

/** activation(x · weight + bias) as one kernel, called straight: tfjs's wrapper costs as much as a small product. */
function product(
  x: tf.Tensor,
  { weight, bias }: { weight: tf.Tensor; bias?: tf.Tensor },
  activation: 'linear' | 'relu',
): tf.Tensor {
  const [inFeatures, outFeatures] = weight.shape as [number, number];
  const shape = [...x.shape.slice(0, -1), outFeatures];
  return tf.tidy(() => {
    // The kernels count axes from the front: without the batch of one, stock wasm reads out of bounds.
    const a = tf.reshape(x, [1, x.size / inFeatures, inFeatures]) as tf.Tensor3D;
    const b = tf.reshape(weight, [1, inFeatures, outFeatures]) as tf.Tensor3D;
    if (bias) {
      const attrs = { transposeA: false, transposeB: false, activation };
      return tf.reshape(tf.engine().runKernel('_FusedMatMul', { a, b, bias }, attrs) as tf.Tensor, shape);
    }
    const y = tf.reshape(tf.matMul(a, b), shape);
    return activation === 'relu' ? tf.relu(y) : y;
  });
}
