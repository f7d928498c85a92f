import { hvp, jvp, treeDispose } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as jax from '@jax-js/jax';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { draw } from './nets.ts';

type JaxArray = jax.Array;
const { numpy: np, nn, lax } = jax;
await jax.init('cpu');
jax.defaultDevice('cpu');

/** The same function in both libraries, and the shapes (or tensors) that it takes. */
interface Pair {
  inputs: readonly (readonly number[] | (() => tf.Tensor))[];
  ours(...xs: tf.Tensor[]): tf.Tensor;
  theirs(...xs: JaxArray[]): JaxArray;
}

const positive = (shape: readonly number[]) => (): tf.Tensor => tf.tidy(() => tf.add(tf.abs(draw(shape, 9)), 0.2));
const matrix = [3, 4] as const;

function unary(ours: (x: tf.Tensor) => tf.Tensor, theirs: (x: JaxArray) => JaxArray): Pair {
  return { inputs: [matrix], ours: (x) => ours(x), theirs: (x) => theirs(x) };
}

function onPositive(ours: (x: tf.Tensor) => tf.Tensor, theirs: (x: JaxArray) => JaxArray): Pair {
  return { ...unary(ours, theirs), inputs: [positive(matrix)] };
}

function binary(
  ours: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor,
  theirs: (a: JaxArray, b: JaxArray) => JaxArray,
  shapes: readonly (readonly number[])[] = [matrix, [4]],
): Pair {
  return { inputs: shapes, ours: (a, b) => ours(a!, b!), theirs: (a, b) => theirs(a!, b!) };
}

const nchw = (x: tf.Tensor): tf.Tensor4D => tf.transpose(x, [0, 2, 3, 1]) as tf.Tensor4D;

const pairs: Record<string, Pair> = {
  exp: unary(tf.exp, np.exp),
  expm1: unary(tf.expm1, np.expm1),
  log: onPositive(tf.log, np.log),
  log1p: onPositive(tf.log1p, np.log1p),
  sqrt: onPositive(tf.sqrt, np.sqrt),
  sin: unary(tf.sin, np.sin),
  cos: unary(tf.cos, np.cos),
  tan: unary(tf.tan, np.tan),
  asin: unary(
    (x) => tf.asin(tf.mul(x, 0.9)),
    (x) => np.asin(np.multiply(x, 0.9)),
  ),
  atan: unary(tf.atan, np.atan),
  sinh: unary(tf.sinh, np.sinh),
  cosh: unary(tf.cosh, np.cosh),
  tanh: unary(tf.tanh, np.tanh),
  asinh: unary(tf.asinh, np.asinh),
  atanh: unary(
    (x) => tf.atanh(tf.mul(x, 0.9)),
    (x) => np.atanh(np.multiply(x, 0.9)),
  ),
  abs: unary(tf.abs, np.abs),
  square: unary(tf.square, np.square),
  reciprocal: onPositive(tf.reciprocal, np.reciprocal),
  erf: unary(tf.erf, lax.erf),
  relu: unary(tf.relu, nn.relu),
  relu6: unary(
    (x) => tf.relu6(tf.mul(x, 10)),
    (x) => nn.relu6(np.multiply(x, 10)),
  ),
  elu: unary(tf.elu, nn.elu),
  selu: unary(tf.selu, nn.selu),
  sigmoid: unary(tf.sigmoid, nn.sigmoid),
  softplus: unary(tf.softplus, nn.softplus),
  leakyRelu: unary(
    (x) => tf.leakyRelu(x, 0.01),
    (x) => nn.leakyRelu(x, 0.01),
  ),
  softmax: unary(
    (x) => tf.softmax(x),
    (x) => nn.softmax(x, -1),
  ),
  logSoftmax: unary(
    (x) => tf.logSoftmax(x),
    (x) => nn.logSoftmax(x, -1),
  ),
  logSumExp: unary(
    (x) => tf.logSumExp(x, 1),
    (x) => nn.logsumexp(x, 1),
  ),
  sum: unary(
    (x) => tf.sum(x, 0),
    (x) => np.sum(x, 0),
  ),
  mean: unary(
    (x) => tf.mean(x, 1, true),
    (x) => np.mean(x, 1, { keepdims: true }),
  ),
  max: unary(
    (x) => tf.max(x, 1),
    (x) => np.max(x, 1),
  ),
  min: unary(
    (x) => tf.min(x),
    (x) => np.min(x),
  ),
  prod: unary(
    (x) => tf.prod(x, 1),
    (x) => np.prod(x, 1),
  ),
  cumsum: unary(
    (x) => tf.cumsum(x, 1),
    (x) => np.cumsum(x, 1),
  ),
  cumprod: unary(
    (x) => tf.cumprod(x, 0),
    (x) => np.cumprod(x, 0),
  ),
  transpose: unary(
    (x) => tf.mul(tf.transpose(x), 2),
    (x) => np.multiply(np.transpose(x), 2),
  ),
  reverse: unary(
    (x) => tf.reverse(x, 1),
    (x) => np.flip(x, 1),
  ),
  tile: unary(
    (x) => tf.tile(x, [2, 1]),
    (x) => np.tile(x, [2, 1]),
  ),
  pad: unary(
    (x) =>
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
        ],
        0,
      ),
    (x) =>
      np.pad(x, [
        [1, 0],
        [0, 2],
      ]),
  ),
  clip: unary(
    (x) => tf.clipByValue(x, -0.3, 0.4),
    (x) => np.clip(x, -0.3, 0.4),
  ),
  topk: unary(
    (x) => tf.topk(x, 2).values,
    (x) => lax.topK(x, 2)[0],
  ),
  add: binary(tf.add, np.add),
  subtract: binary(tf.sub, np.subtract),
  multiply: binary(tf.mul, np.multiply),
  divide: { ...binary(tf.div, np.divide), inputs: [matrix, positive([4])] },
  maximum: binary(tf.maximum, np.maximum),
  minimum: binary(tf.minimum, np.minimum),
  power: { ...binary(tf.pow, np.power), inputs: [positive(matrix), [4]] },
  atan2: binary(tf.atan2, np.atan2),
  matmul: binary((a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D), np.matmul, [matrix, [4, 5]]),
  'matmul, batches': binary((a, b) => tf.matMul(a, b), np.matmul, [
    [2, 3, 4],
    [2, 4, 5],
  ]),
  // np.einsum of jax-js needs Node 22.
  einsum: binary(
    (a, b) => tf.einsum('ij,kj->ik', a, b),
    (a, b) => np.matmul(a, np.transpose(b)),
    [matrix, [5, 4]],
  ),
  concatenate: binary(
    (a, b) => tf.concat([a, b], 0),
    (a, b) => np.concatenate([a, b], 0),
    [matrix, [2, 4]],
  ),
  stack: binary(
    (a, b) => tf.stack([a, b], 1),
    (a, b) => np.stack([a, b], 1),
    [matrix, matrix],
  ),
  where: binary(
    (a, b) => tf.where(tf.greater(a, 0), tf.mul(a, b), b),
    (a, b) => np.where(np.greater(a.ref, 0), np.multiply(a, b.ref), b),
    [matrix, matrix],
  ),
  take: unary(
    (x) => tf.gather(x, tf.tensor1d([2, 0, 2], 'int32')),
    (x) => np.take(x, np.array([2, 0, 2], { dtype: np.int32 }), 0),
  ),
  convolution: binary(
    (x, w) => tf.transpose(tf.conv2d(nchw(x), tf.transpose(w, [2, 3, 1, 0]) as tf.Tensor4D, 1, 'valid'), [0, 3, 1, 2]),
    (x, w) => lax.convGeneralDilated(x, w, [1, 1], 'VALID'),
    [
      [2, 3, 5, 5],
      [4, 3, 3, 3],
    ],
  ),
};

async function toJax(x: tf.Tensor): Promise<JaxArray> {
  return np.reshape(np.array(Array.from(await x.data())), x.shape);
}

async function difference(ours: tf.Tensor, theirs: JaxArray): Promise<number> {
  const [a, b] = [await ours.data(), await theirs.data()];
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - Number(b[i]!)) / (1 + Math.abs(Number(b[i]!)))));
}

describeEachBackend('jvp against jax-js', () => {
  it.each(Object.entries(pairs))('%s', async (_, { inputs, ours, theirs }) => {
    const xs = inputs.map((input, i) => (typeof input === 'function' ? input() : draw(input, 11 + i)));
    const vs = xs.map((x, i) => draw(x.shape, 31 + i));
    const [out, tangent] = jvp(ours, xs, vs);
    const [jaxXs, jaxVs] = [await Promise.all(xs.map(toJax)), await Promise.all(vs.map(toJax))];
    const [value, along] = jax.jvp(theirs as (...x: unknown[]) => JaxArray, jaxXs, jaxVs) as [JaxArray, JaxArray];
    expect(await difference(out, value), 'output').toBeLessThan(2e-6);
    expect(await difference(tangent, along), 'tangent').toBeLessThan(5e-6);
    treeDispose([xs, vs, out, tangent]);
  });

  it('a Hessian-vector product', async () => {
    const [w, v, x] = [draw([4, 3], 1), draw([4, 3], 2), draw([5, 4], 3)];
    const product = hvp(
      (p: tf.Tensor) => tf.mean(tf.logSumExp(tf.tanh(tf.matMul(x as tf.Tensor2D, p as tf.Tensor2D)), 1)),
      w,
      v,
    );
    const [jw, jv, jx] = [await toJax(w), await toJax(v), await toJax(x)];
    const f = (p: JaxArray): JaxArray => np.mean(nn.logsumexp(np.tanh(np.matmul(jx.ref, p)), 1));
    const [, expected] = jax.jvp(jax.grad(f), [jw], [jv]) as [JaxArray, JaxArray];
    expect(await difference(product, expected)).toBeLessThan(2e-6);
    treeDispose([w, v, x, product]);
  });
});
