// Random numbers: a million of each kind as a tensor on the wasm backend, against tf.randomNormal.
import {
  fillNormal,
  fillSigns,
  fillUniform,
  foldIn,
  hasKernel,
  KernelName,
  key,
  randomNormal,
  randomPermutation,
  randomSigns,
  randomUniform,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, table } from './harness.ts';

const SIZE = 1_000_000;
const { reason } = await useBackend(wasm());
console.log(reason);
console.log(
  `${KernelName.RandomNormal}: ${hasKernel(KernelName.RandomNormal) ? 'a kernel of the backend' : 'plain JavaScript'}\n`,
);

let use = 0;
const fresh = () => foldIn(key(1), use++); // one key, one use
const made = (make: () => tf.Tensor) => (): void => make().dispose();
const plain = (fill: typeof fillNormal) => (): tf.Tensor => {
  const out = new Float32Array(SIZE);
  fill(fresh(), out);
  return tf.tensor1d(out);
};

for (const [sampler, fill] of [
  [randomNormal, fillNormal],
  [randomSigns, fillSigns],
  [randomUniform, fillUniform],
] as const) {
  const [tensor, values] = [sampler(key(7), [SIZE]), new Float32Array(SIZE)];
  fill(key(7), values);
  const same = Buffer.compare(Buffer.from((await tensor.data()).buffer), Buffer.from(values.buffer)) === 0;
  if (!same) throw new Error(`${sampler.name} has other bits than the plain JavaScript.`);
  tensor.dispose();
}

const times = await interleave({
  'tf.randomNormal': made(() => tf.randomNormal([SIZE])),
  'tf.sign(tf.randomUniform)': made(() => tf.tidy(() => tf.sign(tf.randomUniform([SIZE], -1, 1)))),
  randomNormal: made(() => randomNormal(fresh(), [SIZE])),
  randomSigns: made(() => randomSigns(fresh(), [SIZE])),
  randomUniform: made(() => randomUniform(fresh(), [SIZE])),
  'normal, plain JavaScript': made(plain(fillNormal)),
  'signs, plain JavaScript': made(plain(fillSigns)),
  'uniform, plain JavaScript': made(plain(fillUniform)),
  'randomPermutation (host)': () => randomPermutation(fresh(), SIZE),
});

const reference = times['tf.randomNormal'].best;
table(
  Object.entries(times).map(([name, { best }]) => ({
    'a million numbers (best of the rounds)': name,
    ms: best,
    'M/s': SIZE / 1e3 / best,
    '÷ tf.randomNormal': reference / best,
  })),
);
finish('random', {
  normal_vs_tfjs: reference / times.randomNormal.best,
  rademacher_vs_tfjs: reference / times.randomSigns.best,
  normal_plain_vs_tfjs: reference / times['normal, plain JavaScript'].best,
  rademacher_plain_vs_tfjs: reference / times['signs, plain JavaScript'].best,
});
