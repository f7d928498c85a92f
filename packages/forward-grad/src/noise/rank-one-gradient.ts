import { matMulAccumulate, type StructuredLeaf } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { outer } from './outer.ts';

/** The factors of K matrices u vᵀ: `u` [K, n] and `v` [K, m]. */
export interface Factors {
  readonly u: tf.Tensor2D;
  readonly v: tf.Tensor2D;
}

/**
 * Σₖ uₖ vₖᵀ times a factor as a gradient leaf, K being directions, or examples: an update costs one product of matrices with the target as accumulator.
 *
 * Without factors it is zero, and costs nothing.
 */
export class RankOneGradient implements StructuredLeaf {
  readonly kind = 'rankOne';
  readonly shape: readonly number[];
  /** [K, n] and [K, m], the coefficients already in `v`; this leaf's own. */
  readonly #factors: Factors | undefined;
  readonly #factor: number;

  constructor(factors: Factors | undefined, shape: readonly number[], factor = 1) {
    this.#factors = factors;
    this.shape = shape;
    this.#factor = factor;
  }

  materialize(): tf.Tensor {
    const factors = this.#factors;
    if (factors === undefined) return tf.zeros([...this.shape]);
    return tf.tidy(() => {
      const sum = outer(factors.u, factors.v);
      return tf.reshape(this.#factor === 1 ? sum : tf.mul(sum, this.#factor), [...this.shape]);
    });
  }

  scale(factor: number): RankOneGradient {
    const factors = this.#factors && { u: tf.clone(this.#factors.u), v: tf.clone(this.#factors.v) };
    return new RankOneGradient(factors, this.shape, this.#factor * factor);
  }

  addTo(target: tf.Tensor, factor: number): tf.Tensor {
    const isVariable = target instanceof tf.Variable;
    const matrix = this.#matrix(target);
    if (!isVariable) target.dispose();
    const factors = this.#factors;
    if (factors === undefined) return matrix;
    const alpha = this.#factor * factor;
    const sum = matMulAccumulate({ c: matrix, a: factors.u, b: factors.v }, { alpha, transposeA: true });
    if (tf.util.arraysEqual(sum.shape, [...this.shape])) return sum;
    const shaped = tf.reshape(sum, [...this.shape]);
    sum.dispose();
    return shaped;
  }

  /** The target as [n, m], sharing its memory; in its own shape where nothing is added. */
  #matrix(target: tf.Tensor): tf.Tensor {
    if (this.#factors === undefined) return tf.clone(target);
    return tf.reshape(target, [this.#factors.u.shape[1], this.#factors.v.shape[1]]);
  }

  dispose(): void {
    if (this.#factors === undefined) return;
    const { u, v } = this.#factors;
    for (const tensor of [u, v]) if (!tensor.isDisposed) tensor.dispose();
  }
}

/**
 * xᵀ g in the shape of a weight, [rows, n] and [rows, m]: as factors where those are smaller than the product, so that an
 * update adds it without writing it down. Made in a tidy, it outlives that.
 */
export function weightGradient(x: tf.Tensor2D, g: tf.Tensor2D, shape: readonly number[]): tf.Tensor | RankOneGradient {
  if (x.size + g.size >= x.shape[1] * g.shape[1]) return tf.tidy(() => tf.reshape(outer(x, g), [...shape]));
  return new RankOneGradient({ u: tf.keep(tf.clone(x)), v: tf.keep(tf.clone(g)) }, shape);
}
