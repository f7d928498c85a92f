// Train, resume, differentiate, and read and write safetensors on the built packages, with nothing but Node.
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adamw, classification, fromArrays, loadCheckpoint, lossFunction, saveTo, train } from '@frugal/core-trainer';
import { directoryStore } from '@frugal/core-trainer/node';
import { mlp } from '@frugal/nn';
import {
  convReluPool,
  decodeSafetensors,
  encodeSafetensors,
  jvp,
  key,
  randomNormal,
  randomSigns,
  treeLeaves,
  useBackend,
  valueAndGrad,
} from '@frugal/tensor';
import { trainable, wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';

const started = await useBackend(wasm());
console.log(`Node ${process.version}, ${started.name}: ${started.reason}`);

const f = ({ x }) => tf.tidy(() => tf.sum(tf.tanh(x)));
const x = tf.tensor1d([0.5, -1]);
const [, { x: slope }] = valueAndGrad(f)({ x });
const expected = [0.5, -1].map((v) => 1 - Math.tanh(v) ** 2);
for (const [i, value] of (await slope.data()).entries()) assert.ok(Math.abs(value - expected[i]) < 1e-6);
const [, tangent] = jvp(f, [{ x }], [{ x: tf.onesLike(x) }]);
assert.ok(Math.abs((await tangent.data())[0] - expected[0] - expected[1]) < 1e-5);

// Kernels of the wasm backend: threads and instructions of this Node, a convolution that stock tfjs cannot train.
const all = async (tensors) => Promise.all(tensors.map(async (t) => [...(await t.data())]));
const convolve = () =>
  tf.tidy(() => {
    const [image, filter] = [tf.reshape(tf.sin(tf.range(0, 6272)), [8, 28, 28, 1]), tf.fill([5, 5, 1, 6], 0.1)];
    const bias = tf.zeros([6]);
    const pooled = (w) => tf.sum(tf.square(convReluPool({ x: image, w, bias }, { pad: 'same', pool: 2 })));
    const a = tf.reshape(tf.cos(tf.range(0, 90_000)), [300, 300]);
    return [tf.matMul(a, a, true), tf.grad(pooled)(filter), randomNormal(key(1), [1000]), randomSigns(key(2), [999])];
  });
const results = {};
for (const threads of [1, 2]) {
  const report = await trainable({ threads });
  assert.equal(report.threads, threads);
  assert.ok(report.relaxed, report.relaxedReason);
  const made = convolve();
  results[threads] = await all(made);
  tf.dispose(made);
}
assert.deepEqual(results[2], results[1]);
assert.ok(results[1].flat().every(Number.isFinite));
assert.ok(results[1][1].some((slope) => slope !== 0));

const { tensors } = await decodeSafetensors(await encodeSafetensors({ x }));
assert.deepEqual([...(await tensors.x.data())], [0.5, -1]);

const model = mlp([2, 8, 2]);
const inputs = Array.from({ length: 64 }, (_, i) => [Math.sin(i), Math.cos(i * 3)]);
const data = fromArrays({ x: inputs, y: Int32Array.from(inputs, ([a, b]) => Number(a > b)) }, { batchSize: 8 });
const run = (epochs, checkpoint) =>
  train({
    ...{ model, data, epochs, key: key(1), optimizer: adamw(0.01) },
    loss: lossFunction(model, classification().loss),
    ...(checkpoint && { checkpoint }),
  }).result;

const whole = await run(4);
const store = directoryStore(mkdtempSync(join(tmpdir(), 'frugal-smoke-')));
await run(2, saveTo(store, { everySteps: 8 }));
assert.ok((await loadCheckpoint(store)) !== undefined);
const resumed = await run(4, saveTo(store, { everySteps: 8, resume: true }));
const values = async ({ params }) => Promise.all(treeLeaves(params).map(async (leaf) => [...(await leaf.data())]));
assert.deepEqual(await values(resumed), await values(whole));
console.log('ok');
