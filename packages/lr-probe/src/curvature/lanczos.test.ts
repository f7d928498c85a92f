import { classification } from '@frugal/core-trainer';
import { activation, batchNorm, conv2d, dense, flatten as flat, mlp, sequential } from '@frugal/nn';
import { createState, jacfwd, key, type Module, randomNormal, type Tree, valueAndGrad } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { bowl, release } from '../fixtures/problems.ts';
import { spectralDensity } from './density.ts';
import { topEigenpairs } from './lanczos.ts';
import {
  adamPreconditioner,
  empiricalFisher,
  gaussNewton,
  hessian,
  preconditioned,
  type SymmetricOperator,
} from './operators.ts';
import { symmetricEigenvalues } from './symmetric.ts';
import { hutchinsonTrace, hutchPlusPlusTrace } from './trace.ts';
import { tridiagonalEigen } from './tridiagonal.ts';
import { flatten, unflatten } from './vectors.ts';

type Batch = { x: tf.Tensor; y: tf.Tensor };

/** The matrix of a function on one vector, its gradient's derivative in every direction at once; symmetrised, in doubles. */
async function denseHessian(f: (vector: tf.Tensor1D) => tf.Tensor, at: tf.Tensor1D): Promise<Float64Array> {
  const gradient = valueAndGrad(f as (v: tf.Tensor) => tf.Tensor);
  const matrix = tf.tidy(() => jacfwd((v: tf.Tensor) => gradient(v)[1] as tf.Tensor, at)) as unknown as tf.Tensor;
  const values = await matrix.data();
  matrix.dispose();
  const n = at.size;
  return Float64Array.from(values, (_, i) => (values[i]! + values[(i % n) * n + Math.floor(i / n)]!) / 2);
}

const activations = [
  ...['tanh', 'relu', 'relu6', 'leakyRelu', 'elu', 'selu', 'gelu', 'geluExact', 'silu'],
  ...['sigmoid', 'softplus', 'softmax', 'linear'],
] as const;
const nets: Record<string, () => Module<never>> = {
  ...Object.fromEntries(
    activations.map((name) => [name, () => mlp([5, 6, 3], { activation: name as never }) as never]),
  ),
  'convolution and batch norm': () =>
    sequential([conv2d(1, 2, 3, {}), batchNorm(2), activation('tanh'), flat(), dense(18, 3)]) as never,
};

describeEachBackend('curvature', () => {
  it.each(Object.keys(nets))('top five eigenvalues and trace are those of the dense Hessian: %s', async (name) => {
    await expectNoLeak(async () => {
      const net = nets[name]!() as unknown as Module<Tree>;
      const params = net.init(key(1));
      const images = name.startsWith('conv');
      const x = randomNormal(key(2), images ? [24, 5, 5, 1] : [24, 5]);
      const y = tf.tensor1d(
        Array.from({ length: 24 }, (_, i) => i % 3),
        'int32',
      );
      const state = createState();
      const ctx = { train: true, key: key(3), state };
      const { loss } = classification();
      const value = (p: Tree, batch: Batch) => loss(net.apply(p, batch.x, ctx), batch.y as never);
      const point = flatten(params);
      const matrix = await denseHessian((v) => tf.mean(value(unflatten(params, v), { x, y })), point);
      const exact = symmetricEigenvalues(matrix, point.size);
      const operator = hessian(value, params, [{ x, y }], { ctx });
      const found = await topEigenpairs(operator, { key: key(4), count: 5, tolerance: 1e-5, limit: point.size });
      const worst = Math.max(...found.values.map((one, i) => Math.abs(one / exact[i]! - 1)));
      expect(worst).toBeLessThan(1e-4);
      expect(found.converged).toBe(true);
      const trace = exact.reduce((sum, one) => sum + one, 0);
      const estimates = [
        await hutchPlusPlusTrace(operator, { key: key(5), products: 90 }),
        await hutchinsonTrace(operator, { key: key(5), products: 100 }),
      ];
      expect(Math.abs(estimates[0]!.trace / trace - 1)).toBeLessThan(0.05);
      expect(Math.abs(estimates[1]!.trace - trace)).toBeLessThan(4 * estimates[1]!.error);
      operator.dispose();
      state.dispose();
      tf.dispose([params, x, y, point, found.vectors] as tf.TensorContainer);
    });
  });

  it('says true residuals, and starts from a guess', async () => {
    const problem = bowl([9, 4, 3, 2, 1, 0.5, -2]);
    const operator = hessian(problem.loss, problem.params, problem.data as never[]);
    const found = await topEigenpairs(operator, { key: key(1), count: 2 });
    expect(found.values[0]).toBeCloseTo(9, 3);
    expect(found.values[1]).toBeCloseTo(4, 3);
    const rest = tf.tidy(() =>
      tf.norm(tf.sub(operator.apply(found.vectors[0]!), tf.mul(found.vectors[0]!, found.values[0]!))),
    );
    expect(Math.abs((await rest.data())[0]! - found.residuals[0]!)).toBeLessThan(1e-3);
    const warm = await topEigenpairs(operator, { key: key(1), start: found.vectors[0]! });
    expect(warm.products).toBeLessThan(found.products);
    const most = await topEigenpairs(operator, { key: key(1), count: 4, which: 'magnitude', limit: 7 });
    expect(most.values.map(Math.round)).toEqual([9, 4, 3, ...(Math.round(most.values[3]!) === 2 ? [2] : [-2])]);
    const density = await spectralDensity(operator, { key: key(2), steps: 7, starts: 40 });
    expect(density.nodes.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 5);
    // One of seven eigenvalues is negative.
    const negative = density.nodes.filter(({ value }) => value < 0).reduce((sum, { share }) => sum + share, 0);
    expect(Math.abs(negative - 1 / 7)).toBeLessThan(0.08);
    const places = Array.from({ length: 600 }, (_, i) => -10 + i / 20);
    expect(density.at(places, 0.3).reduce((sum, value) => sum + value / 20, 0)).toBeCloseTo(1, 2);
    tf.dispose([rest, found.vectors, warm.vectors, most.vectors] as never);
    operator.dispose();
    release(problem);
  });

  it('is the same for Gauss–Newton and Hessian where the model is linear, and for Fisher by hand', async () => {
    await expectNoLeak(async () => {
      const params = { w: randomNormal(key(1), [4, 1]) };
      const batch = { x: randomNormal(key(2), [16, 4]), y: randomNormal(key(3), [16, 1]) };
      const predict = ({ w }: typeof params, { x }: Batch): tf.Tensor => tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D);
      const squares = (output: tf.Tensor, { y }: Batch): tf.Tensor => tf.reshape(tf.square(tf.sub(output, y)), [16]);
      const whole = (p: typeof params, b: Batch): tf.Tensor => squares(predict(p, b), b);
      const [h, g] = [hessian(whole, params, [batch]), gaussNewton({ predict, loss: squares }, params, [batch])];
      const f = empiricalFisher(whole, params, [batch]);
      const v = randomNormal(key(4), [4]) as tf.Tensor1D;
      const [hv, gv, fv] = [h.apply(v), g.apply(v), f.apply(v)];
      const byHand = tf.tidy(() => {
        const errors = tf.sub(predict(params, batch), batch.y);
        const rows = tf.mul(2, tf.mul(errors, batch.x)) as tf.Tensor2D;
        return tf.div(tf.matMul(rows, tf.matMul(rows, tf.reshape(v, [4, 1]) as tf.Tensor2D), true), 16);
      });
      const [a, b, c, d] = await Promise.all([hv, gv, fv, byHand].map((t) => t.data()));
      for (let i = 0; i < 4; i++) {
        expect(b![i]).toBeCloseTo(a![i]!, 3);
        expect(c![i]).toBeCloseTo(d![i]!, 3);
      }
      for (const operator of [h, g, f]) operator.dispose();
      tf.dispose([params, batch, v, hv, gv, fv, byHand]);
    });
  });

  it('preconditions by Adam: D½ H D½ has the eigenvalues of D H', async () => {
    await expectNoLeak(async () => {
      const problem = bowl([4, 1]);
      const v = { w: tf.tensor1d([1, 16]) };
      const diagonal = adamPreconditioner(v, { step: 10_000, epsilon: 0 });
      const expected = await diagonal.w.data();
      expect(expected[0]! / expected[1]!).toBeCloseTo(4, 3);
      const operator = preconditioned(hessian(problem.loss, problem.params, problem.data as never[]), diagonal);
      const found = await topEigenpairs(operator, { key: key(1), count: 2 });
      // det(D H) = det D · det H.
      expect(found.values[0]! * found.values[1]!).toBeCloseTo(expected[0]! * expected[1]! * 4, 3);
      operator.dispose();
      tf.dispose([v, diagonal, found.vectors] as never);
      release(problem);
    });
  });
});

describe('small matrices', () => {
  it('tridiagonal ones have the eigenvalues of the dense method', () => {
    const n = 12;
    const diagonal = Array.from({ length: n }, (_, i) => Math.sin(3 * i) * 5);
    const off = Array.from({ length: n - 1 }, (_, i) => Math.cos(2 * i));
    off[5] = 0;
    const matrix = new Float64Array(n * n);
    diagonal.forEach((value, i) => {
      matrix[i * n + i] = value;
      if (i < n - 1) matrix[i * n + i + 1] = matrix[(i + 1) * n + i] = off[i]!;
    });
    const { values, vectors } = tridiagonalEigen(diagonal, off);
    const exact = symmetricEigenvalues(matrix, n).reverse();
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(exact[i]!, 10);
    vectors.forEach((vector, i) => {
      for (let row = 0; row < n; row++) {
        const product = vector.reduce((sum, x, j) => sum + matrix[row * n + j]! * x, 0);
        expect(product).toBeCloseTo(values[i]! * vector[row]!, 9);
      }
    });
  });

  it('a trace by signs is exact for a diagonal', async () => {
    const d = tf.tensor1d([3, 1, 4, 1, 5]);
    const operator: SymmetricOperator = { size: 5, apply: (v) => tf.mul(d, v), dispose: () => d.dispose() };
    const { trace, error } = await hutchinsonTrace(operator, { key: key(1), products: 4 });
    expect(trace).toBeCloseTo(14, 5);
    expect(error).toBeCloseTo(0, 5);
    operator.dispose();
  });
});
