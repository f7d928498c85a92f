import * as tf from '@tensorflow/tfjs-core';

/** Rotates pairs of features by angles that grow with the position. */
export type Rotation = (x: tf.Tensor, offset: number) => tf.Tensor;

/**
 * Rotary position embedding (arXiv 2104.09864), pairing feature i with i + dim/2 as GPT-NeoX and Llama do.
 *
 * The returned function takes [B, T, heads, dim] whose first position is `offset` and returns the same shape. The product
 * of a rotated query and a rotated key depends on the distance of their positions only.
 *
 * @param dim Features per head, even.
 * @param base Slowest wavelength ÷ 2π. Default 10000.
 */
export function rotary(dim: number, base = 10_000): Rotation {
  const half = dim / 2;
  const frequencies = Float64Array.from({ length: half }, (_, i) => base ** (-i / half));
  let made: { offset: number; time: number; cos: Float32Array; sin: Float32Array } | undefined;
  const tables = (offset: number, time: number) => {
    if (made?.offset === offset && made.time === time) return made;
    const [cos, sin] = [new Float32Array(time * half), new Float32Array(time * half)];
    for (let t = 0; t < time; t++) {
      for (let i = 0; i < half; i++) {
        const angle = (offset + t) * frequencies[i]!;
        cos[t * half + i] = Math.cos(angle);
        sin[t * half + i] = Math.sin(angle);
      }
    }
    made = { offset, time, cos, sin };
    return made;
  };
  return (x, offset) =>
    tf.tidy(() => {
      const time = x.shape[1]!;
      const table = tables(offset, time);
      const cos = tf.tensor(table.cos, [time, 1, half]);
      const sin = tf.tensor(table.sin, [time, 1, half]);
      const [a, b] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
      return tf.concat([tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin))], -1);
    });
}
