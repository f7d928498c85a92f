// On TensorFlow, found by 'auto': the kernels of ours and of tfjs-node, a training run, and what they leave behind.
import assert from 'node:assert/strict';
import { adamw, classification, fromArrays, lossFunction, train } from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import { key, randomNormal } from '@frugal/tensor';
import { useBackend } from '@frugal/tensor/node';
import * as tf from '@tensorflow/tfjs-core';

const { name, reason, details } = await useBackend('auto');
console.log(`Node ${process.version}, ${name}: ${reason}`);
assert.equal(name, 'tensorflow');
assert.equal(tf.getBackend(), 'tensorflow');

// Stock kernels check their arguments with functions that Node 23 dropped.
const stock = tf.tidy(() => tf.cumsum(tf.concat([tf.range(0, 3), tf.ones([2])])));
assert.deepEqual([...(await stock.data())], [0, 1, 3, 4, 5]);
stock.dispose();
// What fails says all that TensorFlow said.
const { binding } = tf.backend();
assert.throws(
  () => binding.executeOp('NoSuchOperation', [], [], 1),
  /Invalid TF_Status: \d+\s+Message: .*NoSuchOperation/s,
);

const values = async (tensor) => {
  const read = [...(await tensor.data())];
  tensor.dispose();
  return read;
};
const compute = async () => {
  const x = randomNormal(key(1), [4, 9, 9, 3]);
  const w = randomNormal(key(2), [3, 3, 3, 5]);
  const loss = (one) => tf.sum(tf.square(tf.maxPool(tf.relu(tf.conv2d(x, one, 1, 'same')), 2, 2, 'valid')));
  const results = [
    ...(await values(tf.tidy(() => tf.grad(loss)(w)))),
    ...(await values(tf.tidy(() => tf.matMul(tf.reshape(x, [27, 36]), tf.reshape(x, [36, 27]))))),
  ];
  tf.dispose([x, w]);
  return results;
};
const theirs = await compute();
await useBackend('cpu');
const expected = await compute();
for (const [i, value] of theirs.entries())
  assert.ok(Math.abs(value - expected[i]) <= 1e-5 * (1 + Math.abs(expected[i])));
await tf.setBackend('tensorflow');

const inputs = Array.from({ length: 64 }, (_, i) => [Math.sin(i), Math.cos(i * 3)]);
const labels = Int32Array.from(inputs, ([a, b]) => Number(a > b));
const run = async () => {
  const model = mlp([2, 8, 2]);
  const data = fromArrays({ x: inputs, y: labels }, { batchSize: 8 });
  const loss = lossFunction(model, classification().loss);
  const options = { model, data, epochs: 10, key: key(1), optimizer: adamw(0.03), loss };
  tf.dispose(await train(options).result); // parameters and the optimizer's state
};
await run();
const before = [tf.memory().numTensors, binding.getNumOfTensors()];
await run();
assert.deepEqual([tf.memory().numTensors, binding.getNumOfTensors()], before);
console.log(JSON.stringify({ device: details.device, kernels: details.kernels }));
