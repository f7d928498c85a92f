import type { StructuredTangent } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** The factors of K matrices u vᵀ: `u` [K, n] and `v` [K, m]. */
export interface Factors {
  readonly u: tf.Tensor2D;
  readonly v: tf.Tensor2D;
}

/**
 * The tangent u vᵀ of a weight, never written out: x · (u vᵀ) = (x u) vᵀ.
 *
 * A weight of a higher rank is taken as a matrix whose columns are its last axis. The factors are borrowed.
 */
export class RankOneTangent implements StructuredTangent {
  readonly kind = 'rankOne';
  readonly shape: readonly number[];
  readonly #factors: Factors;
  /** Whether the shape begins with the axis of directions. */
  readonly #many: boolean;

  constructor(factors: Factors, shape: readonly number[], many: boolean) {
    this.#factors = factors;
    this.shape = shape;
    this.#many = many;
  }

  get #directions(): number {
    return this.#factors.u.shape[0];
  }

  /** One direction: factor · `last`. Several: an axis K before it, from an axis K behind. */
  #outer(products: tf.Tensor, last: tf.Tensor2D): tf.Tensor {
    const width = last.shape[1];
    const shape = products.shape.slice(0, -1);
    if (!this.#many) return tf.mul(products, tf.reshape(last, [width]));
    const rows = tf.transpose(tf.reshape(products, [-1, this.#directions]));
    const result = tf.mul(tf.expandDims(rows, 2), tf.expandDims(last, 1));
    return tf.reshape(result, [this.#directions, ...shape, width]);
  }

  materialize(): tf.Tensor {
    const { u, v } = this.#factors;
    return tf.tidy(() => tf.reshape(tf.mul(tf.expandDims(u, 2), tf.expandDims(v, 1)), [...this.shape]));
  }

  reshape(shape: readonly number[]): StructuredTangent | undefined {
    if (shape.at(-1) !== this.#factors.v.shape[1]) return undefined;
    return new RankOneTangent(this.#factors, shape, this.#many);
  }

  product(x: tf.Tensor, transposed: boolean): tf.Tensor {
    const { u, v } = this.#factors;
    const [first, last] = transposed ? [v, u] : [u, v];
    return tf.tidy(() => this.#outer(tf.matMul(x as tf.Tensor2D, tf.transpose(first)), last));
  }

  asFilter(apply: (filter: tf.Tensor) => tf.Tensor): tf.Tensor {
    const { u, v } = this.#factors;
    const window = this.shape.slice(this.#many ? 1 : 0, -1);
    return tf.tidy(() => this.#outer(apply(tf.reshape(tf.transpose(u), [...window, this.#directions])), v));
  }

  rows(indices: tf.Tensor): tf.Tensor {
    const { u, v } = this.#factors;
    return tf.tidy(() => {
      const chosen = tf.gather(tf.transpose(u), tf.reshape(indices, [-1]) as tf.Tensor1D);
      return this.#outer(tf.reshape(chosen, [...indices.shape, this.#directions]), v);
    });
  }

  /** The factors belong to somebody else. */
  dispose(): void {}
}
