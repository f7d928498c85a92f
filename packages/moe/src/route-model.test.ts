import { vit } from '@frugal/nn';
import { foldIn, key, meter, randomNormal, type Tree, treeLeaves, valueAndGrad, withPlans } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { applyBalanced, type BalanceLoss } from './apply-balanced.ts';
import { switchLoss } from './losses.ts';
import { moe } from './moe.ts';
import { routeModel, runModel } from './route-model.ts';
import { noisyTopKRouter } from './routers/noisy-top-k.ts';

const dim = 16;
const model = vit({
  input: [14, 14, 1],
  dim,
  depth: 2,
  heads: 2,
  classes: 3,
  block: () => ({ mlp: moe(noisyTopKRouter(dim, 4), dim, 24) }),
});

describeEachBackend('a vit with experts', () => {
  it('is routed layer by layer, then trained synchronously', async () => {
    await expectNoLeak(async () => {
      const params = model.init(key(1));
      const x = randomNormal(key(2), [3, 14, 14, 1]);
      const ctx = { train: true, key: key(3) };
      const plans = await routeModel(model, params, x, { ctx });
      expect([...plans.keys()]).toEqual(['blocks.0.mlp', 'blocks.1.mlp']);
      expect([...plans.values()].map(({ tokens }) => tokens)).toEqual([12, 12]);
      const seen: string[] = [];
      const taps = { set: (path: string) => void (path.endsWith('router') && seen.push(path)) };
      const f = (p: typeof params) =>
        tf.tidy(() => tf.mean(tf.square(model.apply(p, x, withPlans(plans, { ...ctx, taps })))));
      const [loss, grads] = valueAndGrad(f)(params);
      expect(seen).toEqual(['blocks.0.mlp.router', 'blocks.1.mlp.router']);
      for (const leaf of treeLeaves(grads.blocks[1]!.mlp as Tree) as tf.Tensor[]) {
        const values = Array.from(await leaf.data());
        expect(values.every(Number.isFinite) && values.some((value) => value !== 0)).toBe(true);
      }
      // The same key gives the same noise, so a plan made again is the same; another key gives another one.
      const again = await routeModel(model, params, x, { ctx });
      expect(again.get('blocks.1.mlp')!.slots).toEqual(plans.get('blocks.1.mlp')!.slots);
      const other = await routeModel(model, params, x, { ctx: { train: true, key: foldIn(key(3), 1) } });
      expect(other.get('blocks.0.mlp')!.slots).not.toEqual(plans.get('blocks.0.mlp')!.slots);
      tf.dispose([params, x, loss, grads] as tf.TensorContainer);
    });
  });

  it('adds the balance losses of all layers', async () => {
    await expectNoLeak(async () => {
      const params = model.init(key(1));
      const x = randomNormal(key(2), [3, 14, 14, 1]);
      const plans = await routeModel(model, params, x);
      const paths: string[] = [];
      const balance: BalanceLoss = (logits, plan, path) => {
        paths.push(path);
        return switchLoss(logits, plan);
      };
      const inference = { train: false };
      const { output, loss } = applyBalanced(model, params, x, plans, balance, inference);
      expect(paths).toEqual(['blocks.0.mlp', 'blocks.1.mlp']);
      const total = (await loss.data())[0]!;
      expect(total).toBeGreaterThan(1.9); // each is about 1 at the start
      expect(total).toBeLessThan(3);
      const [value, grads] = valueAndGrad((p: typeof params) =>
        tf.tidy(() => applyBalanced(model, p, x, plans, balance, inference).loss),
      )(params);
      await expectClose(value, [total]);
      for (const { mlp } of grads.blocks) {
        const router = (mlp as { router: { weight: tf.Tensor } }).router.weight;
        expect(Math.max(...Array.from(await router.data(), Math.abs))).toBeGreaterThan(1e-5);
      }
      tf.dispose([params, x, output, loss, value, grads] as tf.TensorContainer);
    });
  });

  it('runs at the cost that the meter counts, per example', async () => {
    await expectNoLeak(async () => {
      const params = model.init(key(1));
      const x = randomNormal(key(2), [3, 14, 14, 1]);
      const { result, flops } = await meter(() => runModel(model, params, x));
      expect(result.cost).toHaveLength(3);
      const total = result.cost.reduce((sum, cost) => sum + cost, 0);
      expect(Math.abs(total - flops) / flops).toBeLessThan(0.01);
      const y = model.apply(params, x, withPlans(result.plans));
      await expectClose(result.output, y);
      tf.dispose([params, x, result.output, y] as tf.TensorContainer);
    });
  });
});
