import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import { matMulAccumulate } from '../kernels/matmul.ts';
import type { StructuredTangent } from './structured.ts';

/** Factors that several leaves share; freed with the last of them. */
interface Factors {
  readonly u: tf.Tensor;
  readonly v: tf.Tensor;
  users: number;
}

/**
 * factor · u vᵀ, never stored: a tangent of a weight, an update.
 *
 * In a shape of more than two axes, u runs over all but the last, v over the last: as filters of convolutions have it.
 */
export class RankOne implements StructuredTangent {
  readonly kind = 'rankOne';
  readonly shape: readonly number[];
  readonly factor: number;
  readonly #factors: Factors;
  #disposed = false;

  /** Use `rankOne`. */
  constructor(factors: Factors, shape: readonly number[], factor: number) {
    this.#factors = factors;
    this.shape = shape;
    this.factor = factor;
    factors.users++;
  }

  /** [n], or [K, n]. Stays the leaf's. */
  get u(): tf.Tensor {
    return this.#factors.u;
  }

  /** [m], or [K, m]. Stays the leaf's. */
  get v(): tf.Tensor {
    return this.#factors.v;
  }

  /** K, where u and v have an axis of directions. */
  get directions(): number | undefined {
    return this.u.rank === 2 ? this.u.shape[0]! : undefined;
  }

  materialize(): tf.Tensor {
    return tf.tidy(() => tf.reshape(tf.mul(this.#column(), this.#row()), [...this.shape]));
  }

  scale(factor: number): RankOne {
    return new RankOne(this.#factors, this.shape, this.factor * factor);
  }

  addTo(target: tf.Tensor, factor: number): tf.Tensor {
    if (this.directions !== undefined) {
      const sum = tf.tidy(() => tf.add(target, tf.mul(this.materialize(), factor)));
      if (!(target instanceof tf.Variable)) target.dispose();
      return sum;
    }
    const [n, m] = [this.u.size, this.v.size];
    const c = tf.reshape(target, [n, m]);
    // The matrix must be the only owner of its memory for the kernel to write in place.
    if (!(target instanceof tf.Variable)) target.dispose();
    const sum = tf.tidy(() => {
      const [a, b] = [tf.reshape(this.u, [n, 1]), tf.reshape(this.v, [1, m])];
      return tf.reshape(matMulAccumulate({ c, a, b }, { alpha: factor * this.factor }), [...this.shape]);
    });
    return sum;
  }

  reshape(shape: readonly number[]): RankOne | undefined {
    const k = this.directions;
    const fits = shape.at(-1) === this.v.shape.at(-1) && (k === undefined || (shape.length > 1 && shape[0] === k));
    return fits ? new RankOne(this.#factors, shape, this.factor) : undefined;
  }

  product(x: tf.Tensor, transposed: boolean, into?: tf.Tensor): tf.Tensor {
    const [inner, outer] = transposed ? [this.v, this.u] : [this.u, this.v];
    const k = this.directions;
    if (k !== undefined) {
      const along = tf.matMul(inner as tf.Tensor2D, x as tf.Tensor2D, false, true);
      const spread = tf.reshape(tf.mul(outer, this.factor), [k, 1, outer.shape[1]!]);
      const result = tf.mul(tf.reshape(along, [k, x.shape[0]!, 1]), spread);
      return into === undefined ? result : tf.add(into, result);
    }
    const along = tf.matMul(x as tf.Tensor2D, tf.reshape(inner, [inner.size, 1]) as tf.Tensor2D);
    const row = tf.reshape(outer, [1, outer.size]);
    if (into !== undefined) return matMulAccumulate({ c: into, a: along, b: row }, { alpha: this.factor });
    return tf.mul(this.factor === 1 ? along : tf.mul(along, this.factor), row);
  }

  asFilter(apply: (filter: tf.Tensor) => tf.Tensor): tf.Tensor {
    const k = this.directions;
    if (k === undefined) {
      return tf.mul(apply(tf.reshape(this.u, [...this.shape.slice(0, -1), 1])), tf.mul(this.v, this.factor));
    }
    const outputs = apply(tf.reshape(tf.transpose(this.u), [...this.shape.slice(1, -1), k]));
    const first = tf.transpose(outputs, [outputs.rank - 1, ...[...outputs.shape.keys()].slice(0, -1)]);
    const ones = new Array<number>(outputs.rank - 1).fill(1);
    const row = tf.reshape(tf.mul(this.v, this.factor), [k, ...ones, this.v.shape[1]!]);
    return tf.mul(tf.expandDims(first, -1), row);
  }

  rows(indices: tf.Tensor): tf.Tensor {
    const k = this.directions;
    const chosen = tf.expandDims(tf.gather(this.u, indices, k === undefined ? 0 : 1), -1);
    const row = tf.mul(this.v, this.factor);
    if (k === undefined) return tf.mul(chosen, row);
    const ones = new Array<number>(indices.rank).fill(1);
    return tf.mul(chosen, tf.reshape(row, [k, ...ones, this.v.shape[1]!]));
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#factors.users--;
    if (this.#factors.users === 0) tf.dispose([this.u, this.v]);
  }

  #column(): tf.Tensor {
    const scaled = this.factor === 1 ? this.u : tf.mul(this.u, this.factor);
    return tf.expandDims(scaled, -1);
  }

  #row(): tf.Tensor {
    return tf.expandDims(this.v, -2);
  }
}

/**
 * u vᵀ as a structured leaf: a tangent or an update that costs n + m numbers instead of n · m.
 *
 * A product takes it as (x u) vᵀ. With ±1 factors, a forward gradient along it has the variance of a dense ±1 tangent.
 *
 * @param u [n], or [K, n] for K directions (`jvpMany`). Owned by the leaf from now on, also beyond a tidy.
 * @param v [m] or [K, m]. Owned by the leaf.
 * @param shape Of the tensor that it stands for, its last axis m, the product of the others n; K in front where there
 * is one. Default [n, m].
 * @throws {FrugalError} `BAD_ARGUMENT` if the shapes do not fit.
 */
export function rankOne(u: tf.Tensor, v: tf.Tensor, shape?: readonly number[]): RankOne {
  const full = shape ?? [...u.shape, v.shape.at(-1)!];
  const batch = u.rank === 2 ? [u.shape[0]] : [];
  const inner = full.slice(batch.length, -1).reduce((n, extent) => n * extent, 1);
  const fits =
    u.rank === v.rank &&
    (u.rank === 1 || (u.rank === 2 && u.shape[0] === v.shape[0] && full[0] === u.shape[0])) &&
    inner === u.shape.at(-1) &&
    full.at(-1) === v.shape.at(-1);
  if (!fits) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `rankOne: u [${u.shape}] and v [${v.shape}] do not make [${full}]. The last axis is v's, the others together are ` +
        "u's; for K directions all three have K in front.",
    );
  }
  return new RankOne({ u: tf.keep(u), v: tf.keep(v), users: 0 }, full, 1);
}
