// Runs in the page or in a worker of it: starts the backend, multiplies, trains a convolution a little.
import { ensureGradients } from '@frugal/tensor';
import { restore, trainable } from '@frugal/wasm';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

const scope = globalThis as unknown as { check: () => Promise<object>; document?: unknown };

scope.check = async () => {
  setWasmPaths('/');
  const report = await trainable({ threads: 2 });
  await ensureGradients();
  const n = 300;
  const product = async (): Promise<Float32Array> => {
    const y = tf.tidy(() => {
      const a = tf.reshape(tf.sin(tf.range(0, n * n)), [n, n]) as tf.Tensor2D;
      return tf.matMul(a, a, true);
    });
    const values = (await y.data()) as Float32Array;
    y.dispose();
    return values;
  };
  const two = await product();
  await trainable({ threads: 1 });
  const one = await product();
  const w = tf.variable(tf.fill([3, 3, 1, 2], 0.1)) as tf.Variable<tf.Rank.R4>;
  const image = tf.ones([4, 8, 8, 1]) as tf.Tensor4D;
  const optimizer = tf.train.sgd(0.01);
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) {
    const loss = optimizer.minimize(() => tf.mean(tf.square(tf.sub(tf.conv2d(image, w, 1, 'same'), 1))), true)!;
    losses.push((await loss.data())[0]!);
    loss.dispose();
  }
  restore();
  return { report, same: two.every((x, i) => x === one[i]), value: one[0], losses };
};

if (scope.document === undefined) {
  scope.check().then(
    (result) => postMessage({ result }),
    (error) => postMessage({ error: String(error?.stack ?? error) }),
  );
}
