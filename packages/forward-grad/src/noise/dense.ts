import { addNoise, type Key } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type GradientLeaf, type LeafNoise, type NoiseKind, sampleNoise, withDirections } from './noise.ts';

/** Independent numbers for every entry of a parameter. */
export class DenseNoise implements LeafNoise {
  readonly tangent: tf.Tensor;
  readonly #key: Key;
  readonly #kind: NoiseKind;
  readonly #shape: readonly number[];
  readonly #directions: number;

  constructor(key: Key, kind: NoiseKind, shape: readonly number[], directions: number) {
    this.#key = key;
    this.#kind = kind;
    this.#shape = shape;
    this.#directions = directions;
    this.tangent = sampleNoise(kind, key, withDirections(shape, directions));
  }

  #rows(): tf.Tensor2D {
    return tf.reshape(this.tangent, [this.#directions, -1]);
  }

  gradient(coefficients: tf.Tensor1D): GradientLeaf {
    return tf.tidy(() => {
      if (this.#directions === 1) return tf.mul(this.tangent, tf.reshape(coefficients, []));
      return tf.reshape(tf.matMul(tf.reshape(coefficients, [1, -1]), this.#rows()), [...this.#shape]);
    });
  }

  dot(x: tf.Tensor): tf.Tensor1D {
    return tf.tidy(() => tf.reshape(tf.matMul(this.#rows(), tf.reshape(x, [-1, 1])), [-1]));
  }

  gram(): tf.Tensor2D {
    return tf.tidy(() => tf.matMul(this.#rows(), tf.transpose(this.#rows())));
  }

  /** The noise is made again on the way, so that a backend with a kernel for it needs no buffer. */
  shifted(p: tf.Tensor, k: number, factor: number): tf.Tensor {
    return addNoise(tf.clone(p), this.#key, { scale: factor, noise: this.#kind, offset: k * p.size });
  }

  dispose(): void {
    this.tangent.dispose();
  }
}
