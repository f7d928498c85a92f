// Every kernel that takes the place of a stock one, against tfjs's cpu backend and against the stock one itself.
import { adamStep, cpu, useBackend } from '@frugal/tensor';
import { expectClose, expectNoLeak, normals } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { tensorflow } from '../backend/provider.ts';

const provider = tensorflow();
const { available, reason } = await provider.describe();

type Op = (...xs: tf.Tensor[]) => tf.Tensor;
const positive: Op = (x) => tf.add(tf.abs(x!), 0.1);

/** Functions of tensors of these shapes. */
const cases: Record<string, [Op, ...number[][]]> = {
  ...Object.fromEntries(
    ['abs', 'ceil', 'cos', 'elu', 'erf', 'exp', 'expm1', 'floor', 'neg', 'relu', 'relu6', 'sigmoid'].map((name) => [
      name,
      [(tf as unknown as Record<string, Op>)[name]!, [3, 5]],
    ]),
  ),
  ...Object.fromEntries(
    ['sign', 'sin', 'softplus', 'square', 'tanh', 'step'].map((name) => [
      name,
      [(tf as unknown as Record<string, Op>)[name]!, [4, 3]],
    ]),
  ),
  ...Object.fromEntries(
    ['log', 'log1p', 'reciprocal', 'rsqrt', 'sqrt'].map((name) => [
      name,
      [(x: tf.Tensor) => (tf as unknown as Record<string, Op>)[name]!(positive(x)), [7]],
    ]),
  ),
  ...Object.fromEntries(
    ['add', 'sub', 'mul', 'maximum', 'minimum', 'squaredDifference'].map((name) => [
      name,
      [(tf as unknown as Record<string, Op>)[name]!, [2, 3, 4], [3, 1]],
    ]),
  ),
  div: [(a, b) => tf.div(a!, positive(b!)), [4, 3], [3]],
  pow: [(a, b) => tf.pow(positive(a!), b!), [5], [5]],
  'int arithmetic': [(x) => tf.mul(tf.cast(tf.mul(x!, 9), 'int32'), tf.scalar(3, 'int32')), [6]],
  'the gradient of relu': [(dy, x) => tf.mul(dy!, tf.step(x!)), [3, 4], [3, 4]],
  'the gradient of relu, turned round': [(dy, x) => tf.mul(tf.step(x!), dy!), [3, 4], [3, 4]],
  'step in a broadcast': [(dy, x) => tf.mul(dy!, tf.step(x!)), [3, 4], [4]],
  'step, looked at': [(dy, x) => tf.add(tf.mul(dy!, tf.step(x!)), tf.sum(tf.step(x!))), [4], [4]],
  'leaky step': [(x) => tf.step(x!, 0.3), [9]],
  'reshaped twice': [(x) => tf.add(tf.reshape(tf.reshape(x!, [1, 6, 2]), [4, 3]), 1), [3, 4]],
  'reshaped and back': [(x) => tf.reshape(tf.reshape(x!, [1, -1]), [3, 4]), [3, 4]],
  'sum of rows': [(x) => tf.sum(x!, [0, 1]), [5, 6, 7]],
  'sum of a row': [(x) => tf.sum(x!, -1), [5, 6]],
  'sum, kept': [(x) => tf.sum(x!, 0, true), [5, 6]],
  'sum of all': [(x) => tf.sum(x!), [5, 6, 2, 1, 3, 2]],
  'sum of a scalar': [(x) => tf.sum(x!), []],
  mean: [(x) => tf.mean(x!, [0, 2]), [5, 6, 2]],
  max: [(x) => tf.max(x!, 1, true), [5, 6]],
  min: [(x) => tf.min(x!), [5, 6]],
  matmul: [(a, b) => tf.matMul(a!, b!), [5, 6], [6, 3]],
  'matmul, right transposed and large': [(a, b) => tf.matMul(a!, b!, false, true), [3, 256], [300, 256]],
  'matmul of one batch': [(a, b) => tf.matMul(tf.reshape(a!, [1, 5, 6]), tf.reshape(b!, [1, 6, 3])), [5, 6], [6, 3]],
  'matmul, both transposed': [(a, b) => tf.matMul(a!, b!, true, true), [6, 5], [3, 6]],
  'matmul in batches': [(a, b) => tf.matMul(a!, b!), [4, 5, 6], [4, 6, 3]],
  'matmul, one for all': [(a, b) => tf.matMul(a!, b!), [4, 5, 6], [1, 6, 3]],
  'fused matmul': [(a, b, bias) => tf.fused.matMul({ a: a!, b: b!, bias: bias! }), [5, 6], [6, 3], [3]],
  'fused matmul with relu': [
    (a, b, bias) => tf.fused.matMul({ a: a!, b: b!, bias: bias!, activation: 'relu', transposeA: true }),
    ...[[6, 5], [6, 3], [3]],
  ],
  'fused matmul with elu': [(a, b) => tf.fused.matMul({ a: a!, b: b!, activation: 'elu' }), [5, 6], [6, 3]],
  'fused matmul in batches': [(a, b) => tf.fused.matMul({ a: a!, b: b! }), [2, 5, 6], [2, 6, 3]],
  conv2d: [(x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, [2, 1], 'same'), [2, 7, 6, 3], [3, 2, 3, 4]],
  'conv2d, padded by hand': [
    (x, w) =>
      tf.conv2d(
        x as tf.Tensor4D,
        w as tf.Tensor4D,
        [2, 1],
        [
          [0, 0],
          [1, 2],
          [0, 1],
          [0, 0],
        ],
      ),
    ...[
      [2, 7, 6, 3],
      [3, 2, 3, 4],
    ],
  ],
  'conv2d, dilated': [
    (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'valid', 'NHWC', 2),
    ...[
      [2, 7, 6, 3],
      [3, 2, 3, 4],
    ],
  ],
  'fused conv2d': [
    (x, w, bias) =>
      tf.fused.conv2d({
        x: x as tf.Tensor4D,
        filter: w as tf.Tensor4D,
        strides: 1,
        pad: 'same',
        bias: bias!,
        activation: 'relu',
      }),
    ...[[2, 7, 6, 3], [3, 3, 3, 4], [4]],
  ],
  'max pooling': [(x) => tf.maxPool(x as tf.Tensor4D, [2, 3], [2, 1], 'same'), [2, 7, 6, 3]],
};

/** The value of a case and the gradients of its inputs, with their shapes, in one vector. */
function everything([f, ...shapes]: [Op, ...number[][]]): tf.Tensor {
  const xs = shapes.map((shape, i) => tf.tensor(normals(i + 7, tf.util.sizeFromShape(shape)), shape));
  const y = f(...xs);
  const parts = [tf.cast(y, 'float32')];
  if (y.dtype === 'float32') {
    const dy = tf.tensor(normals(99, y.size), y.shape);
    parts.push(...tf.grads((...inputs) => f(...inputs))(xs, dy));
  }
  return tf.concat(parts.flatMap((t) => [tf.tensor1d([t.rank, ...t.shape]), tf.reshape(t, [-1])]));
}

describe.skipIf(!available)(`kernels${available ? '' : ` [${reason}]`}`, () => {
  beforeAll(async () => {
    await useBackend(provider);
  });

  it.each(Object.keys(cases))('%s', async (name) => {
    await tf.setBackend('tensorflow');
    await expectNoLeak(async () => {
      const ours = tf.tidy(() => everything(cases[name]!));
      const values = await ours.data();
      ours.dispose();
      await useBackend(cpu());
      const theirs = tf.tidy(() => everything(cases[name]!));
      await expectClose(values as Float32Array, theirs, 1e-5);
      theirs.dispose();
      await tf.setBackend('tensorflow');
    });
  });

  it('a step that nobody looks at is never computed, and keeps its input alive', async () => {
    await tf.setBackend('tensorflow');
    const { binding } = tf.backend() as unknown as { binding: { getNumOfTensors(): number } };
    const x = tf.tensor1d([-1, 0, 2, Number.NaN]);
    tf.relu(x).dispose();
    const before = binding.getNumOfTensors();
    const step = tf.step(x);
    const again = tf.clone(step);
    x.dispose();
    step.dispose();
    expect(await again.data()).toEqual(Float32Array.of(0, 0, 1, Number.NaN));
    again.dispose();
    expect(binding.getNumOfTensors()).toBe(before - 1);
  });

  const deep = process.env['FRUGAL_DEEP'] === '1';
  const steps = deep ? 10_000 : 1000;
  it(
    `${steps} steps leave nothing behind`,
    async () => {
      await tf.setBackend('tensorflow');
      const { binding } = tf.backend() as unknown as { binding: { getNumOfTensors(): number } };
      // One tensor left behind a step would take 64 MiB in a thousand.
      const w = tf.variable(tf.ones([256, 64]));
      const x = tf.ones([8, 256]);
      const optimizer = tf.train.sgd(0.001);
      const like = (value: number): tf.Tensor[] => [tf.fill([256, 64], value)];
      const grads = like(0.5);
      let state = { params: like(1), m: like(0), v: like(0) };
      // tfjs's own optimizer over our kernels, and a step in place.
      const step = (): void => {
        optimizer.minimize(() => tf.sum(tf.relu(tf.matMul(x, w as tf.Tensor2D))), false);
        const numbers = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: ++count };
        state = adamStep({ ...state, grads }, numbers);
      };
      let count = 0;
      // Adam's rate is another number at each step, and 512 constants are kept: until then handles grow.
      for (let i = 0; i < 300; i++) step();
      const [tensors, handles, memory] = [tf.memory().numTensors, binding.getNumOfTensors(), process.memoryUsage().rss];
      for (let i = 0; i < steps; i++) step();
      expect([tf.memory().numTensors, binding.getNumOfTensors()]).toEqual([tensors, handles]);
      expect((process.memoryUsage().rss - memory) / 2 ** 20, 'MiB more').toBeLessThan(30);
      tf.dispose([w, x, grads, state]);
    },
    deep ? 600_000 : 60_000,
  );
});
