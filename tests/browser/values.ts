import * as tf from '@tensorflow/tfjs-core';

/** The values of a tensor. */
export async function values(x: tf.Tensor): Promise<Float32Array> {
  return (await x.data()) as Float32Array;
}

/** Whether two arrays are the same, bit for bit. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  const [x, y] = [new Int32Array(a.buffer), new Int32Array(b.buffer)];
  return x.length === y.length && x.every((word, i) => word === y[i]);
}

async function on(backend: string, f: () => tf.Tensor): Promise<Float32Array> {
  await tf.setBackend(backend);
  const y = tf.tidy(f);
  const result = await values(y);
  y.dispose();
  return result;
}

/** The largest |a − b| ÷ (1 + |b|) between the wasm and the cpu backend; wasm is the current one afterwards. */
export async function differenceOnBackends(f: () => tf.Tensor): Promise<number> {
  const b = await on('cpu', f);
  const a = await on('wasm', f);
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return a.reduce((worst, x, i) => {
    const difference = Object.is(x, b[i]) ? 0 : Math.abs(x - b[i]!) / (1 + Math.abs(b[i]!));
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }, 0);
}
