import * as tf from '@tensorflow/tfjs-core';

/** Rotates pairs of features by angles that grow with the position. */
export type Rotation = (x: tf.Tensor, offset: number) => tf.Tensor;

/**
 * Rotary position embedding (arXiv 2104.09864), pairing feature i with i + dim/2 as GPT-NeoX and Llama do.
 *
 * The returned function takes […, T, dim] whose first position is `offset` and returns the same shape. The product of a
 * rotated query and a rotated key depends on the distance of their positions only.
 *
 * @param dim Features per head, even.
 * @param base Slowest wavelength ÷ 2π. Default 10000.
 */
export function rotary(dim: number, base = 10_000): Rotation {
  const half = dim / 2;
  const frequencies = Float64Array.from({ length: dim }, (_, i) => base ** (-(i % half) / half));
  let made: { offset: number; time: number; cos: Float32Array; sin: Float32Array } | undefined;
  const tables = (offset: number, time: number) => {
    if (made?.offset === offset && made.time === time) return made;
    const angle = (i: number): number => (offset + Math.floor(i / dim)) * frequencies[i % dim]!;
    const cos = Float32Array.from({ length: time * dim }, (_, i) => Math.cos(angle(i)));
    const sin = Float32Array.from({ length: time * dim }, (_, i) => Math.sin(angle(i)));
    made = { offset, time, cos, sin };
    return made;
  };
  // x · swap = [−second half, first half]: one exact product, where slices along the last axis would go row by row.
  const swap = new Float32Array(dim * dim);
  for (let i = 0; i < half; i++) {
    swap[(i + half) * dim + i] = -1;
    swap[i * dim + i + half] = 1;
  }
  return (x, offset) =>
    tf.tidy(() => {
      const time = x.shape.at(-2)!;
      const { cos, sin } = tables(offset, time);
      const rows = tf.reshape(x, [x.size / dim, dim]) as tf.Tensor2D;
      const swapped = tf.reshape(tf.matMul(rows, tf.tensor2d(swap, [dim, dim])), x.shape);
      return tf.add(tf.mul(x, tf.tensor2d(cos, [time, dim])), tf.mul(swapped, tf.tensor2d(sin, [time, dim])));
    });
}
