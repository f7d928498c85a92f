import {
  foldIn,
  jvp,
  key,
  meter,
  randomNormal,
  type Tree,
  treeLeaves,
  treeMap,
  valueAndGrad,
  withPlans,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak, largestDifference } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { type BoostParams, tokenBoost } from './boost.ts';
import { mlpGate } from './gate.ts';
import { boostLoss } from './phases/losses.ts';
import { type BoostPlan, planCounts } from './plan.ts';
import { denseReference } from './testing/index.ts';

const [dim, hidden, learners, tokens] = [6, 5, 4, 15];
const at = (plan: BoostPlan) => withPlans(new Map([['', plan]]));
const layerOf = (activation: 'relu' | 'gelu', out = dim) =>
  tokenBoost(mlpGate(dim, learners), dim, hidden, { activation, out });
const mixed = planCounts(
  Array.from({ length: tokens }, (_, t) => (3 * t) % (learners + 1)),
  learners,
);

/** Parameters without zeros. */
function someParams(layer: ReturnType<typeof layerOf>): BoostParams<never> {
  const zero = layer.init(key(1));
  let i = 0;
  const params = treeMap((p) => tf.tidy(() => tf.add(p, randomNormal(key(++i), p.shape, { sd: 0.3 }))), zero);
  tf.dispose(zero as tf.TensorContainer);
  return params as BoostParams<never>;
}

const weighed = (y: tf.Tensor): tf.Tensor => tf.tidy(() => tf.sum(tf.mul(y, randomNormal(key(99), y.shape))));

async function expectSame(actual: Tree, expected: Tree): Promise<void> {
  const [a, b] = [treeLeaves(actual) as tf.Tensor[], treeLeaves(expected) as tf.Tensor[]];
  for (const [i, leaf] of a.entries()) await expectClose(leaf, b[i]!, 1e-5);
}

describeEachBackend('tokenBoost', () => {
  for (const activation of ['relu', 'gelu'] as const) {
    it(`equals the dense reference, forward, gradients and tangents: ${activation}`, async () => {
      await expectNoLeak(async () => {
        const layer = layerOf(activation, 7);
        const params = someParams(layer);
        const x = randomNormal(key(3), [tokens, dim]) as tf.Tensor2D;
        type Both = { params: typeof params; x: tf.Tensor };
        const sparse = (p: Both) => weighed(layer.apply(p.params, p.x, at(mixed)));
        const dense = (p: Both) =>
          weighed(denseReference(layer as never, p.params as never, p.x as tf.Tensor2D, mixed));
        const y = layer.apply(params, x, at(mixed));
        const reference = denseReference(layer as never, params as never, x, mixed);
        expect(y.shape).toEqual([tokens, 7]);
        await expectClose(y, reference);
        const [value, grads] = valueAndGrad(sparse)({ params, x });
        const [expected, wanted] = valueAndGrad(dense)({ params, x });
        await expectSame(grads, wanted);
        const tangent = treeMap((p) => randomNormal(key(17), p.shape), params);
        const [primal, along] = jvp((p: typeof params) => sparse({ params: p, x }), [params], [tangent]);
        const product = tf.tidy(() => {
          const [g, t] = [treeLeaves(grads.params as Tree) as tf.Tensor[], treeLeaves(tangent) as tf.Tensor[]];
          return tf.addN(g.map((leaf, i) => tf.sum(tf.mul(leaf, t[i]!))));
        });
        await expectClose(along as tf.Tensor, product, 2e-5);
        tf.dispose([params, x, y, reference, value, grads, expected, wanted] as tf.TensorContainer);
        tf.dispose([tangent, primal, along, product] as tf.TensorContainer);
      });
    });
  }

  it('runs every learner up to the last: the sum of the first k, for every k, and the bias for 0', async () => {
    const layer = layerOf('gelu');
    const params = someParams(layer);
    const x = randomNormal(key(3), [tokens, dim]);
    const sums = layer.learners.partialSums(params.learners, x);
    for (let k = 0; k <= learners; k++) {
      const { output } = await layer.run(params, x, { count: k });
      const expected = tf.tidy(() => tf.add(k === 0 ? tf.zeros([tokens, dim]) : sums[k - 1]!, params.bias));
      await expectClose(output, expected);
      if (k > 0) expect(await largestDifference(output, k === 1 ? params.bias : sums[k - 2]!)).toBeGreaterThan(1e-2);
      tf.dispose([output, expected]);
    }
    tf.dispose([params, x, sums] as tf.TensorContainer);
  });

  it('never reads a learner that nobody got', async () => {
    const layer = layerOf('relu');
    const params = someParams(layer);
    const x = randomNormal(key(3), [tokens, dim]);
    for (const most of [0, 1, 3]) {
      const plan = planCounts(
        Array.from({ length: tokens }, (_, t) => Math.min(most, t)),
        learners,
      );
      const poison = tf.tensor(Array.from({ length: learners }, (_, j) => (j < most ? 0 : Number.NaN)));
      const poisoned = {
        ...params,
        learners: treeMap(
          (p) => tf.tidy(() => tf.add(p, tf.reshape(poison, [learners, ...p.shape.slice(1).map(() => 1)]))),
          params.learners,
        ),
      };
      const y = layer.apply(poisoned, x, at(plan));
      expect(Array.from(await y.data()).every(Number.isFinite)).toBe(true);
      const [value, grads] = valueAndGrad((p: typeof poisoned) => weighed(layer.apply(p, x, at(plan))))(poisoned);
      for (const leaf of treeLeaves(grads as Tree) as tf.Tensor[]) {
        expect(Array.from(await leaf.data()).every(Number.isFinite)).toBe(true);
      }
      tf.dispose([poison, poisoned.learners, y, value, grads] as tf.TensorContainer);
    }
    tf.dispose([params, x] as tf.TensorContainer);
  });

  it('costs what the meter counts, within 1 %, whatever the gate chose', async () => {
    for (const [activation, count] of [
      ['relu', undefined],
      ['gelu', undefined],
      ['relu', 0],
      ['gelu', learners],
    ] as const) {
      const layer = tokenBoost(mlpGate(32, learners), 32, 24, { activation, out: 40 });
      const params = layer.init(key(1));
      const x = randomNormal(key(3), [2, 10, 32], { sd: 30 });
      const options = count === undefined ? { threshold: 0.45 } : { count };
      const { result: run, flops, unknown } = await meter(() => layer.run(params, x, options));
      expect(unknown).toEqual([]);
      expect(run.output.shape).toEqual([2, 10, 40]);
      if (count === undefined) expect(new Set(run.plan.counts).size).toBeGreaterThan(1);
      const total = run.cost.reduce((sum, cost) => sum + cost, 0);
      expect(run.cost).toHaveLength(20);
      expect(Math.abs(total - flops) / flops, `${activation} ${count}`).toBeLessThan(0.01);
      tf.dispose([params, x, run.output] as tf.TensorContainer);
    }
  });

  it('lets the gradient of the task alone reach the gate in training, and samples by the key', async () => {
    await expectNoLeak(async () => {
      const layer = layerOf('gelu');
      const params = someParams(layer);
      const x = randomNormal(key(3), [tokens, dim]);
      const training = (n: number) => ({ train: true, key: key(n) });
      const f = (p: typeof params) => weighed(layer.apply(p, x, training(5)));
      const [value, grads] = valueAndGrad(f)(params);
      for (const leaf of treeLeaves(grads.gate as Tree) as tf.Tensor[]) {
        expect(Math.max(...Array.from(await leaf.data(), Math.abs))).toBeGreaterThan(1e-4);
      }
      const outputs = [5, 5, 6].map((n) => layer.apply(params, x, training(n)));
      expect(await largestDifference(outputs[0]!, outputs[1]!)).toBe(0);
      expect(await largestDifference(outputs[0]!, outputs[2]!)).toBeGreaterThan(1e-3);
      tf.dispose([params, x, value, grads, outputs] as tf.TensorContainer);
    });
  });

  it('learns from scratch to spend what is targeted, by the budget loss through the gate', async () => {
    await expectNoLeak(async () => {
      const layer = layerOf('relu');
      let params = someParams(layer);
      const squared = (output: tf.Tensor, y: tf.Tensor): tf.Tensor1D =>
        tf.mean(tf.squaredDifference(output, y), [1, 2]);
      const options = { target: 0.25, budget: 4, entropy: 0, diversity: 0 };
      const loss = boostLoss(layer, squared, options);
      const errors: number[] = [];
      for (let step = 0; step < 40; step++) {
        const x = randomNormal(foldIn(key(21), step), [16, 4, dim]);
        const [value, grads] = valueAndGrad((p: typeof params) =>
          tf.tidy(() => tf.mean(loss(p, { x, y: tf.abs(x) }, { train: true, key: foldIn(key(22), step) }))),
        )(params);
        errors.push((await value.data())[0]!);
        const next = treeMap((p, g) => tf.tidy(() => tf.sub(p, tf.mul(g!, 0.15))), params, grads as Tree);
        tf.dispose([x, params, value, grads] as tf.TensorContainer);
        params = next as typeof params;
      }
      const last = (from: number, to: number): number => errors.slice(from, to).reduce((a, b) => a + b) / (to - from);
      expect(last(30, 40)).toBeLessThan(0.7 * last(0, 5));
      // |share used − target| of choices sampled anew: 0.25 for the undecided gates of the start.
      const gap = boostLoss(layer, (output) => tf.zeros([output.shape[0]!]), { ...options, budget: 1 });
      const x = randomNormal(key(23), [64, 4, dim]);
      const missed = tf.tidy(() => tf.mean(gap(params, { x, y: x }, { train: true, key: key(24) })));
      expect((await missed.data())[0]!).toBeLessThan(0.1);
      tf.dispose([params, x, missed] as tf.TensorContainer);
    });
  });

  it('trains on the very choice that inference makes, without a key', async () => {
    const layer = layerOf('relu');
    const params = someParams(layer);
    const x = randomNormal(key(3), [tokens, dim], { sd: 3 });
    const plan = await layer.plan(params, x);
    expect(new Set(plan.counts).size).toBeGreaterThan(1);
    const [trained, planned] = [layer.apply(params, x, { train: true }), layer.apply(params, x, at(plan))];
    await expectClose(trained, planned);
    tf.dispose([params, x, trained, planned] as tf.TensorContainer);
  });

  it('refuses a missing plan, one for another batch, another width', async () => {
    const layer = layerOf('gelu');
    const params = layer.init(key(1));
    const [x, wide] = [tf.ones([4, dim]), tf.ones([4, dim + 1])];
    expect(() => layer.apply(params, x)).toThrow(/no plan. Use runModel/);
    expect(() => layer.apply(params, x, at(mixed))).toThrow(/for 15 tokens and 4 learners, the input has 4 and 4/);
    expect(() => layer.apply(params, wide, { train: true })).toThrow(/must be float32 \[T, 6\]/);
    expect(() => tokenBoost(mlpGate(dim, learners), dim, 0)).toThrow(/hidden must be an integer/);
    tf.dispose([params, x, wide] as tf.TensorContainer);
  });
});
