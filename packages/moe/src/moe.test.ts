import {
  hvp,
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
import type { ExpertKind } from './experts.ts';
import { type MoeParams, moe } from './moe.ts';
import { type DispatchPlan, planDispatch } from './plan.ts';
import { dynamicKRouter } from './routers/dynamic-k.ts';
import { topKRouter } from './routers/top-k.ts';
import { denseReference } from './testing/index.ts';

const kinds: ExpertKind[] = ['relu', 'gelu', 'reglu', 'geglu', 'swiglu'];
const [dim, hidden, experts] = [6, 10, 5];
const at = (plan: DispatchPlan) => withPlans(new Map([['', plan]]));
const layerOf = (kind: ExpertKind, shared = 0) =>
  moe(topKRouter(dim, experts, { k: 2 }), dim, hidden, { kind, shared });

/** Parameters whose biases are not 0. */
function someParams(layer: ReturnType<typeof layerOf>): MoeParams<{ weight: tf.Tensor2D }> {
  const zero = layer.init(key(1));
  let i = 0;
  const params = treeMap((p) => tf.tidy(() => tf.add(p, randomNormal(key(++i), p.shape, { sd: 0.3 }))), zero);
  tf.dispose(zero as tf.TensorContainer);
  return params;
}

/** A scalar that depends on every output. */
const weighed = (y: tf.Tensor): tf.Tensor => tf.tidy(() => tf.sum(tf.mul(y, randomNormal(key(99), y.shape))));

async function expectSame(actual: Tree, expected: Tree): Promise<void> {
  const [a, b] = [treeLeaves(actual) as tf.Tensor[], treeLeaves(expected) as tf.Tensor[]];
  for (const [i, leaf] of a.entries()) await expectClose(leaf, b[i]!, 1e-5);
}

describeEachBackend('moe', () => {
  for (const kind of kinds) {
    it(`equals the dense reference, forward and gradients: ${kind}`, async () => {
      const layer = layerOf(kind, 1);
      const params = someParams(layer);
      const x = randomNormal(key(3), [2, 7, dim]);
      const plan = await layer.route(params, x);
      const sparse = (p: { params: typeof params; x: tf.Tensor }) => weighed(layer.apply(p.params, p.x, at(plan)));
      const dense = (p: { params: typeof params; x: tf.Tensor }) => weighed(denseReference(layer, p.params, p.x, plan));
      const [y, reference] = [layer.apply(params, x, at(plan)), denseReference(layer, params, x, plan)];
      expect(y.shape).toEqual([2, 7, dim]);
      await expectClose(y, reference);
      const [value, grads] = valueAndGrad(sparse)({ params, x });
      const [expected, wanted] = valueAndGrad(dense)({ params, x });
      await expectClose(value, expected);
      await expectSame(grads, wanted);
      const router = (grads.params as MoeParams<{ weight: tf.Tensor }>).router.weight;
      expect(Math.max(...Array.from(await router.data(), Math.abs))).toBeGreaterThan(1e-3);
      tf.dispose([params, x, y, reference, value, grads, expected, wanted] as tf.TensorContainer);
    });

    it(`has the tangent of its gradient: ${kind}`, async () => {
      const layer = layerOf(kind);
      const params = someParams(layer);
      const x = randomNormal(key(3), [9, dim]);
      const plan = await layer.route(params, x);
      const tangent = treeMap((p) => randomNormal(key(17), p.shape), params);
      const f = (p: typeof params) => weighed(layer.apply(p, x, at(plan)));
      const [, along] = jvp(f, [params], [tangent]);
      const [value, grads] = valueAndGrad(f)(params);
      const product = tf.tidy(() => {
        const [g, t] = [treeLeaves(grads) as tf.Tensor[], treeLeaves(tangent) as tf.Tensor[]];
        return tf.addN(g.map((leaf, i) => tf.sum(tf.mul(leaf, t[i]!))));
      });
      await expectClose(along as tf.Tensor, product, 2e-5);
      tf.dispose([params, x, tangent, along, value, grads, product] as tf.TensorContainer);
    });
  }

  it('has Hessian-vector products of the dense reference', async () => {
    const layer = layerOf('gelu');
    const params = someParams(layer);
    const x = randomNormal(key(3), [9, dim]);
    const plan = await layer.route(params, x);
    const vector = treeMap((p) => randomNormal(key(17), p.shape), params);
    const square = (y: tf.Tensor): tf.Tensor => tf.tidy(() => tf.mean(tf.square(y)));
    const ours = hvp((p: typeof params) => square(layer.apply(p, x, at(plan))), params, vector);
    const theirs = hvp((p: typeof params) => square(denseReference(layer, p, x, plan)), params, vector);
    const [mine, other] = [ours, theirs].map((all) => (Array.isArray(all) ? all.at(-1) : all) as Tree) as [Tree, Tree];
    for (const [i, leaf] of (treeLeaves(mine) as tf.Tensor[]).entries()) {
      await expectClose(leaf, treeLeaves(other)[i] as tf.Tensor, 1e-4);
    }
    tf.dispose([params, x, vector, ours, theirs] as tf.TensorContainer);
  });

  it('equals the reference where pairs are dropped, and for a number of experts that differs', async () => {
    const router = dynamicKRouter(dim, experts, { normalize: true, tau: 0.7 });
    const layer = moe(router, dim, hidden, { kind: 'relu' });
    const params = layer.init(key(4));
    const x = randomNormal(key(5), [20, dim], { sd: 20 });
    const logits = tf.tidy(() => router.logits(params.router, x));
    const selection = router.select((await logits.data()) as Float32Array, 20);
    const counts = new Set(
      Array.from({ length: 20 }, (_, t) => selection.slots.filter((s) => Math.floor(s / experts) === t).length),
    );
    expect(counts.size).toBeGreaterThan(1);
    const plan = planDispatch(selection, { tokens: 20, experts, capacity: { factor: 0.8 } });
    expect(plan.rows.length).toBeLessThan(selection.slots.length);
    const [y, reference] = [layer.apply(params, x, at(plan)), denseReference(layer, params, x, plan)];
    await expectClose(y, reference);
    tf.dispose([params, x, logits, y, reference] as tf.TensorContainer);
  });

  it.each(['relu', 'swiglu'] as const)('pads every expert to one size where it is asked to: %s', async (kind) => {
    const [dim, hidden] = [16, 24]; // of narrower ones the costs of gates and routers, which backends share out differently, are over 1 %
    for (const capacity of [undefined, { factor: 0.8 }]) {
      const layer = moe(topKRouter(dim, experts, { k: 2 }), dim, hidden, {
        kind,
        pad: true,
        ...(capacity && { evalCapacity: capacity }),
      });
      const params = someParams(layer);
      const x = randomNormal(key(3), [14, dim]);
      const { result: run, flops } = await meter(() => layer.run(params, x));
      const { plan } = run;
      const loads = plan.ends.map((end, e) => end - (plan.ends[e - 1] ?? 0));
      expect(plan.rowsPerExpert).toBe(
        capacity ? Math.ceil((0.8 * 28) / experts) : 2 ** Math.ceil(Math.log2(Math.max(...loads))),
      );
      expect(Math.min(...loads)).toBeLessThan(plan.rowsPerExpert!);
      const total = run.cost.reduce((sum, cost) => sum + cost, 0);
      expect(Math.abs(total - flops) / flops).toBeLessThan(0.01);
      await expectClose(run.output, denseReference(layer, params, x, plan), 1e-5);
      const ours = (p: { params: typeof params; x: tf.Tensor }) => weighed(layer.apply(p.params, p.x, at(plan)));
      const dense = (p: { params: typeof params; x: tf.Tensor }) => weighed(denseReference(layer, p.params, p.x, plan));
      await expectSame(valueAndGrad(ours)({ params, x }) as Tree, valueAndGrad(dense)({ params, x }) as Tree);
    }
  });

  it('runs by itself: the output of apply, a cost that the meter confirms', async () => {
    for (const kind of kinds) {
      const layer = moe(topKRouter(32, experts), 32, 48, { kind, shared: 2 });
      const params = layer.init(key(1));
      const x = randomNormal(key(3), [12, 32]);
      const { result: run, flops, unknown } = await meter(() => layer.run(params, x));
      expect(unknown).toEqual([]);
      const total = run.cost.reduce((sum, cost) => sum + cost, 0);
      expect(run.cost).toHaveLength(12);
      expect(Math.abs(total - flops) / flops, kind).toBeLessThan(0.01);
      const y = layer.apply(params, x, at(run.plan));
      await expectClose(run.output, y, 2e-6);
      tf.dispose([params, x, run.output, y] as tf.TensorContainer);
    }
  });

  it('never reads an expert that was not chosen', async () => {
    const layer = moe(topKRouter(dim, experts, { k: 1 }), dim, hidden, { kind: 'relu' });
    const params = layer.init(key(1));
    const x = randomNormal(key(3), [3, dim]);
    const plan = await layer.route(params, x);
    const used = new Set(Array.from(plan.slots, (slot) => slot % experts));
    expect(used.size).toBeLessThan(experts);
    const poison = tf.tensor(Array.from({ length: experts }, (_, e) => (used.has(e) ? 0 : Number.NaN)));
    const poisoned = {
      ...params,
      experts: treeMap(
        (p) => tf.tidy(() => tf.add(p, tf.reshape(poison, [experts, ...p.shape.slice(1).map(() => 1)]))),
        params.experts,
      ),
    };
    const { output } = await layer.run(poisoned, x);
    expect(Array.from(await output.data()).every(Number.isFinite)).toBe(true);
    const [value, grads] = valueAndGrad((p: typeof poisoned) => weighed(layer.apply(p, x, at(plan))))(poisoned);
    for (const leaf of treeLeaves(grads) as tf.Tensor[]) {
      expect(Array.from(await leaf.data()).every(Number.isFinite)).toBe(true);
    }
    tf.dispose([params, x, poison, poisoned.experts, output, value, grads] as tf.TensorContainer);
  });

  it('costs what was chosen', async () => {
    const layer = moe(dynamicKRouter(dim, experts), dim, hidden, { kind: 'relu' });
    const params = layer.init(key(1));
    const x = randomNormal(key(3), [16, dim]);
    const runs = [await layer.run(params, x, { tau: 0 }), await layer.run(params, x, { tau: 1 })];
    expect(runs.map(({ plan }) => plan.rows.length)).toEqual([16, 16 * experts]);
    const [one, all] = runs.map(({ cost }) => cost[0]! - layer.router.flopsPerToken);
    expect(all! / one!).toBeCloseTo(experts, 6);
    tf.dispose([params, x, ...runs.map(({ output }) => output)] as tf.TensorContainer);
  });

  it('leaks nothing, also with tokens that no expert takes', async () => {
    await expectNoLeak(async () => {
      const layer = layerOf('gelu', 1);
      const params = layer.init(key(1));
      const x = randomNormal(key(3), [4, dim]);
      const none = planDispatch({ slots: new Int32Array(0), gates: new Float32Array(0) }, { tokens: 4, experts });
      const { output } = await layer.run(params, x);
      const [value, grads] = valueAndGrad((p: typeof params) => weighed(layer.apply(p, x, at(none))))(params);
      const shared = denseReference(layer, params, x, none);
      const y = layer.apply(params, x, at(none));
      expect(await largestDifference(y, shared)).toBeLessThan(1e-6);
      tf.dispose([params, x, output, value, grads, shared, y] as tf.TensorContainer);
    });
  });

  it('refuses a missing plan, one for another batch, another width', async () => {
    const layer = layerOf('gelu');
    const params = layer.init(key(1));
    const [x, other, wide] = [tf.ones([4, dim]), tf.ones([5, dim]), tf.ones([4, dim + 1])];
    const plan = await layer.route(params, x);
    expect(() => layer.apply(params, x)).toThrow(/no plan. Route first/);
    expect(() => layer.apply(params, other, at(plan))).toThrow(/for 4 tokens and 5 experts, the input has 5 and 5/);
    expect(() => layer.apply(params, wide, at(plan))).toThrow(/must be float32 \[T, 6\]/);
    await expect(layer.route(params, wide)).rejects.toThrow(/must be float32/);
    tf.dispose([params, x, other, wide] as tf.TensorContainer);
  });
});
