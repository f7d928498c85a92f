import { foldIn, type Key, type RankOne, rankOne } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type LeafNoise, type NoiseKind, sampleNoise, withDirections } from './noise.ts';
import { type Factors, RankOneGradient } from './rank-one-gradient.ts';

/**
 * Directions u vᵀ at a weight of rank 2 or more, u running over all axes but the last.
 *
 * With ±1 they have exactly the second moment of dense ones: E[v vᵀ] = I and ‖v‖² = d both hold.
 */
export class RankOneNoise implements LeafNoise {
  readonly tangent: RankOne;
  readonly #factors: Factors;
  readonly #shape: readonly number[];

  constructor(key: Key, kind: NoiseKind, shape: readonly number[], directions: number) {
    const m = shape.at(-1)!;
    const n = shape.slice(0, -1).reduce((product, size) => product * size, 1);
    const lead = directions === 1 ? [] : [directions];
    const u = sampleNoise(kind, foldIn(key, 0), [...lead, n]);
    const v = sampleNoise(kind, foldIn(key, 1), [...lead, m]);
    this.#shape = shape;
    this.#factors = {
      u: tf.keep(tf.reshape(u, [directions, n]) as tf.Tensor2D),
      v: tf.keep(tf.reshape(v, [directions, m]) as tf.Tensor2D),
    };
    this.tangent = rankOne(u, v, withDirections(shape, directions));
  }

  gradient(coefficients: tf.Tensor1D): RankOneGradient {
    const { u, v } = this.#factors;
    const weighted = tf.tidy(() => tf.mul(v, tf.reshape(coefficients, [-1, 1])) as tf.Tensor2D);
    return new RankOneGradient({ u: tf.clone(u), v: weighted }, this.#shape);
  }

  dot(x: tf.Tensor): tf.Tensor1D {
    const { u, v } = this.#factors;
    return tf.tidy(() => tf.sum(tf.mul(tf.matMul(u, tf.reshape(x, [u.shape[1], v.shape[1]])), v), 1));
  }

  gram(): tf.Tensor2D {
    const { u, v } = this.#factors;
    return tf.tidy(() => tf.mul(tf.matMul(u, tf.transpose(u)), tf.matMul(v, tf.transpose(v))));
  }

  shifted(p: tf.Tensor, k: number, factor: number): tf.Tensor {
    const { u, v } = this.#factors;
    const row = (x: tf.Tensor2D): tf.Tensor2D => tf.slice(x, [k, 0], [1, -1]);
    return tf.tidy(() => new RankOneGradient({ u: row(u), v: row(v) }, this.#shape).addTo(tf.clone(p), factor));
  }

  dispose(): void {
    this.tangent.dispose();
    tf.dispose([this.#factors.u, this.#factors.v]);
  }
}
