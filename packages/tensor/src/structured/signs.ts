import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import { addNoise } from '../kernels/noise.ts';
import { addSigns, matMulSigns, signMatrix } from '../kernels/signs.ts';
import { randomSigns } from '../random/samplers.ts';
import type { Key } from '../seams/index.ts';
import type { StructuredTangent } from './structured.ts';

/** Options of `signs`. */
export interface SignsOptions {
  /** Default 1. */
  readonly factor?: number;
  /**
   * Which bits of the key's stream an element takes: `'rows'` (default) as `randomSigns` does, or `'packed'`, as a
   * matrix product makes them while it packs its right-hand side (docs/random.md, domain 3).
   */
  readonly layout?: 'rows' | 'packed';
}

/** factor · ±1, made from a key whenever they are needed, never stored. */
export class Signs implements StructuredTangent {
  readonly kind = 'signs';
  readonly keys: readonly Key[];
  readonly shape: readonly number[];
  /** Whether the first axis of the shape counts directions, one key each. */
  readonly many: boolean;
  readonly factor: number;
  readonly layout: 'rows' | 'packed';
  /** Of a packed matrix, by a kernel that makes the signs on the way; others are written out. */
  readonly product?: NonNullable<StructuredTangent['product']>;

  /** Use `signs`. */
  constructor(
    keys: readonly Key[],
    shape: readonly number[],
    many: boolean,
    factor: number,
    layout: 'rows' | 'packed',
  ) {
    this.keys = keys;
    this.shape = shape;
    this.many = many;
    this.factor = factor;
    this.layout = layout;
    if (layout === 'packed' && !many) this.product = (x, transposed, into) => this.#product(x, transposed, into);
  }

  materialize(): tf.Tensor {
    return tf.tidy(() => {
      const shape = this.many ? this.shape.slice(1) : this.shape;
      const each = this.keys.map((key) => this.#dense(key, shape));
      const all = this.many ? tf.stack(each) : each[0]!;
      return this.factor === 1 ? all : tf.mul(all, this.factor);
    });
  }

  scale(factor: number): Signs {
    return new Signs(this.keys, this.shape, this.many, this.factor * factor, this.layout);
  }

  addTo(target: tf.Tensor, factor: number): tf.Tensor {
    if (!this.many && this.layout === 'rows') {
      return addNoise(target, this.keys[0]!, { scale: factor * this.factor, noise: 'signs' });
    }
    if (!this.many) {
      const p = tf.reshape(target, this.shape.slice(-2));
      // The matrix must be the only owner of its memory for the kernel to write in place.
      if (!(target instanceof tf.Variable)) target.dispose();
      const moved = addSigns({ p }, this.keys[0]!, factor * this.factor);
      return this.shape.length === 2 ? moved : reshaped(moved, this.shape);
    }
    const sum = tf.tidy(() => tf.add(target, tf.mul(this.materialize(), factor)));
    if (!(target instanceof tf.Variable)) target.dispose();
    return sum;
  }

  #product(x: tf.Tensor, transposed: boolean, into?: tf.Tensor): tf.Tensor {
    if (!transposed && this.factor === 1) {
      return matMulSigns(into === undefined ? { a: x } : { a: x, into }, this.keys[0]!, this.shape.at(-1)!);
    }
    const sum = tf.tidy(() => {
      const moved = tf.matMul(x, tf.reshape(this.materialize(), this.shape.slice(-2)), false, transposed);
      return into === undefined ? moved : tf.add(into, moved);
    });
    into?.dispose();
    return sum;
  }

  reshape(shape: readonly number[]): Signs | undefined {
    const sameMatrix = shape.at(-1) === this.shape.at(-1) && shape.at(-2) === this.shape.at(-2);
    const sameDirections = !this.many || shape[0] === this.shape[0];
    if (!sameDirections || (this.layout === 'packed' && !sameMatrix)) return undefined;
    return new Signs(this.keys, shape, this.many, this.factor, this.layout);
  }

  dispose(): void {
    // Nothing is held.
  }

  #dense(key: Key, shape: readonly number[]): tf.Tensor {
    if (this.layout === 'rows') return randomSigns(key, shape);
    return tf.reshape(signMatrix(key, shape.at(-2)!, shape.at(-1)!), [...shape]);
  }
}

/**
 * Random signs as a structured leaf: a dense ±1 tangent or update in the memory of a key.
 *
 * @param keys One key, or one for each of K directions (`jvpMany`); the leaf then has K in front of its shape.
 * @param shape Of the tensor that it stands for, without K. A matrix (axes of 1 in front) for `'packed'`.
 * @throws {FrugalError} `BAD_ARGUMENT` if the shape is no matrix and the layout `'packed'`.
 */
export function signs(keys: Key | readonly Key[], shape: readonly number[], options: SignsOptions = {}): Signs {
  const { factor = 1, layout = 'rows' } = options;
  if (layout === 'packed' && (shape.length < 2 || shape.slice(0, -2).some((extent) => extent !== 1))) {
    throw new FrugalError('BAD_ARGUMENT', `signs: layout 'packed' is for matrices, got the shape [${shape}].`);
  }
  if (!Array.isArray(keys)) return new Signs([keys as Key], shape, false, factor, layout);
  return new Signs(keys, [keys.length, ...shape], true, factor, layout);
}

function reshaped(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const y = tf.reshape(x, [...shape]);
  x.dispose();
  return y;
}
