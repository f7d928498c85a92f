import { type Tree, treeDispose, treeLeaves, treeMap, treeMaterialize, type UpdateTree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { read } from '../scene.ts';

/** How noisy the gradients of consecutive steps were. */
export interface GradientNoise {
  /** B_simple = tr Σ / |G|²; infinite where the signal cannot be told from zero. */
  readonly scale: number;
  /** |G|²: the mean of gᵢ·gⱼ over different steps. */
  readonly signal: number;
  /** tr Σ of the gradients of single examples. */
  readonly noise: number;
  readonly batchSize: number;
  /** Steps that it rests on. */
  readonly gradients: number;
}

/**
 * The gradient noise scale (arXiv 1812.06162) from gradients that training computes anyway: n of them, of B examples each, at
 * places so near that they share one true gradient.
 *
 *     |G|² = (|Σ gᵢ|² − Σ |gᵢ|²) / (n (n − 1)),   tr Σ = B (mean |gᵢ|² − |G|²)
 *
 * That is the two-batch form of `noiseScale`; it holds one tree and one number, whatever n.
 */
export class RunningNoise {
  #sum: Tree | undefined;
  #squares: tf.Scalar | undefined;
  #count = 0;

  /** Takes note of a gradient, which stays the caller's. */
  add(grads: UpdateTree): void {
    const dense = treeMaterialize(grads);
    const [before, total] = [this.#sum, this.#squares];
    this.#sum =
      before === undefined ? treeMap((g) => g.clone(), dense) : treeMap((g, sum) => tf.add(g, sum!), dense, before);
    this.#squares = tf.tidy(() => {
      const own = squareOf(dense);
      return total === undefined ? own : (tf.add(total, own) as tf.Scalar);
    });
    treeDispose([dense, before ?? [], total ?? []]);
    this.#count++;
  }

  /** What was seen; undefined before the second gradient. */
  async read(batchSize: number): Promise<GradientNoise | undefined> {
    const n = this.#count;
    if (n < 2) return undefined;
    const together = await read(tf.tidy(() => squareOf(this.#sum!)));
    const apart = (await this.#squares!.data())[0]!;
    const signal = (together - apart) / (n * (n - 1));
    const noise = batchSize * (apart / n - signal);
    return { scale: signal > 0 ? noise / signal : Number.POSITIVE_INFINITY, signal, noise, batchSize, gradients: n };
  }

  dispose(): void {
    treeDispose([this.#sum ?? [], this.#squares ?? []]);
    [this.#sum, this.#squares, this.#count] = [undefined, undefined, 0];
  }
}

/** |tree|². */
function squareOf(tree: Tree): tf.Scalar {
  return tf.addN(treeLeaves(tree).map((leaf) => tf.sum(tf.square(leaf)))) as tf.Scalar;
}
