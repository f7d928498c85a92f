// Runs in the page: numeric suites on one backend, and the chain of backends that pages use.
import '@tensorflow/tfjs-backend-webgl';
import { suites } from 'portable:suites';
import { type BackendProvider, cpu, useBackend, valueAndGrad, webgl } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { webgpu } from '@frugal/webgpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { testOn } from '../portable/backends.ts';
import { runSuites, type Suites } from '../portable/run.ts';

setWasmPaths('/');

const providers: Record<string, () => BackendProvider> = {
  webgpu: () => webgpu({ adapter: 'any' }),
  wasm: () => wasm(),
  'emulated webgl': () => webgl({ software: true }),
  'hardware webgpu': () => webgpu(),
  webgl: () => webgl(),
  cpu: () => cpu(),
};

/** Some steps of a small convolutional net: the last loss is to be below the first. */
async function learns(): Promise<boolean> {
  const x = tf.reshape(tf.sin(tf.range(0, 8 * 36)), [8, 6, 6, 1]) as tf.Tensor4D;
  const y = tf.tensor1d([0, 1, 0, 1, 0, 1, 0, 1]);
  let params = { filter: tf.reshape(tf.cos(tf.range(0, 36)), [3, 3, 1, 4]), head: tf.ones([64, 1]) };
  const loss = (p: typeof params): tf.Scalar => {
    const features = tf.relu(tf.conv2d(x, p.filter as tf.Tensor4D, 1, 'valid'));
    const out = tf.matMul(tf.reshape(features, [8, 64]), p.head as tf.Tensor2D);
    return tf.mean(tf.square(tf.sub(tf.squeeze(out, [1]), y))) as tf.Scalar;
  };
  const losses: number[] = [];
  for (let step = 0; step < 5; step++) {
    const [value, grads] = valueAndGrad(loss)(params);
    losses.push((await value.data())[0]!);
    const next = tf.tidy(() => ({
      filter: tf.sub(params.filter, tf.mul(grads.filter, 1e-4)),
      head: tf.sub(params.head, tf.mul(grads.head, 1e-4)),
    }));
    tf.dispose([value, grads, params]);
    params = next as typeof params;
  }
  tf.dispose([x, y, params]);
  return losses.at(-1)! < losses[0]!;
}

Object.assign(globalThis, {
  numeric: async (backend: string, paths: readonly string[]) => {
    const provider = providers[backend]!();
    testOn(provider);
    await useBackend([cpu()]);
    const { name } = await useBackend(provider);
    const chosen: Suites = Object.fromEntries(paths.map((path) => [path, suites[path]!]));
    return { name, ...(await runSuites(chosen, () => undefined)) };
  },
  chain: async (names: readonly string[]) => {
    const { name, reason } = await useBackend(names.map((one) => providers[one]!()));
    return { name, reason, current: tf.getBackend(), learns: await learns() };
  },
});
