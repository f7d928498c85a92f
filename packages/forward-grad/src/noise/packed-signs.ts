import { addSigns, type Key, type Signs, type StructuredLeaf, signs } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { LeafNoise } from './noise.ts';

/** factor · coefficient · S, S the ±1 matrix of a key: a gradient in the memory of a number. */
class SignsGradient implements StructuredLeaf {
  readonly kind = 'signs';
  readonly shape: readonly number[];
  readonly #key: Key;
  /** This leaf's own; a scalar on the device. */
  readonly #coefficient: tf.Scalar;
  readonly #factor: number;

  constructor(key: Key, shape: readonly number[], coefficient: tf.Scalar, factor = 1) {
    this.#key = key;
    this.shape = shape;
    this.#coefficient = coefficient;
    this.#factor = factor;
  }

  materialize(): tf.Tensor {
    return this.addTo(tf.zeros([...this.shape]), 1);
  }

  scale(factor: number): SignsGradient {
    return new SignsGradient(this.#key, this.shape, tf.clone(this.#coefficient), this.#factor * factor);
  }

  addTo(target: tf.Tensor, factor: number): tf.Tensor {
    return addSigns({ p: target, scale: this.#coefficient }, this.#key, factor * this.#factor);
  }

  dispose(): void {
    if (!this.#coefficient.isDisposed) this.#coefficient.dispose();
  }
}

/**
 * One direction of independent signs at a matrix, never stored: products and updates make them from the key, and hold
 * no numbers but the slope.
 */
export class PackedSignsNoise implements LeafNoise {
  readonly tangent: Signs;
  readonly #key: Key;
  readonly #shape: readonly number[];

  constructor(key: Key, shape: readonly number[]) {
    this.#key = key;
    this.#shape = shape;
    this.tangent = signs(key, shape, { layout: 'packed' });
  }

  gradient(coefficients: tf.Tensor1D): SignsGradient {
    return new SignsGradient(this.#key, this.#shape, tf.reshape(coefficients, []));
  }

  dot(x: tf.Tensor): tf.Tensor1D {
    return tf.tidy(() => tf.reshape(tf.sum(tf.mul(x, this.tangent.materialize())), [1]));
  }

  gram(): tf.Tensor2D {
    const [n, m] = this.#shape as [number, number];
    return tf.tensor2d([n * m], [1, 1]);
  }

  shifted(p: tf.Tensor, _k: number, factor: number): tf.Tensor {
    return addSigns({ p: tf.clone(p) }, this.#key, factor);
  }

  dispose(): void {
    // Nothing is held.
  }
}
