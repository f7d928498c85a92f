// A tfjs model that is there already, made dynamic in all three ways.
import { exitCosts, maxProbability, plainHead, runExits, withExits } from '@frugal/early-exit';
import { expertParams, moe, normRouter, routerLoss, runModel as runExperts } from '@frugal/moe';
import { dense } from '@frugal/nn';
import { fromLayersModel, replaceDensePair } from '@frugal/nn/layers';
import { key, meter, randomNormal, treeClone, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import { boostParams, distillLoss, mlpGate, runModel as runBoosted, tokenBoost } from '@frugal/token-boost';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';

const [dim, hidden] = [24, 32];

/** A model as somebody may have it, its biases not 0. */
function mine(): tfl.Sequential {
  const model = tfl.sequential({
    layers: [
      tfl.layers.dense({ name: 'embed', inputShape: [10], units: dim, activation: 'tanh' }),
      tfl.layers.dense({ name: 'wide', units: hidden, activation: 'relu', biasInitializer: 'randomNormal' }),
      tfl.layers.dense({ name: 'back', units: dim, biasInitializer: 'randomNormal' }),
      tfl.layers.dense({ name: 'answer', units: 3 }),
    ],
  });
  return model;
}

const batch = () => ({ x: randomNormal(key(7), [40, 10]), y: tf.zeros([40], 'int32') });
const total = (costs: readonly number[]): number => costs.reduce((a, b) => a + b, 0);

describeEachBackend('a LayersModel made dynamic', () => {
  it('lets examples leave early, at the cost that the meter counts', async () => {
    const model = mine();
    await expectNoLeak(async () => {
      const backbone = fromLayersModel(model);
      const exits = withExits(backbone, [{ at: 1, head: plainHead(dense(dim, 3)) }]);
      const fresh = exits.init(key(1));
      treeDispose(fresh.backbone);
      const params = { ...fresh, backbone: treeClone(backbone.weights()) };
      const { x, y } = batch();
      const costs = exitCosts(exits, params, x);
      const policy = maxProbability([0.6]);
      const { result, flops } = await meter(() => runExits(exits, params, x, { policy, costs }));
      const left = result.exits.filter((exit) => exit === 0).length;
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThan(40);
      expect(Math.abs(total(result.cost) / flops - 1)).toBeLessThan(0.01);
      const whole = await runExits(exits, params, x, { policy: maxProbability([2]), costs });
      const expected = model.predict(x) as tf.Tensor;
      await expectClose(whole.output, expected, 1e-5);
      treeDispose([params, x, y, result.output, whole.output, expected]);
    });
    model.dispose();
  });

  it('runs some of the experts that its dense layers are cut into', async () => {
    const model = mine();
    await expectNoLeak(async () => {
      const layer = moe(normRouter(dim, 4), dim, hidden / 4, { kind: 'relu' });
      const { model: cut, trained } = replaceDensePair(fromLayersModel(model), ['wide', 'back'], layer as never);
      const fresh = cut.init(key(1));
      const params = await expertParams(fresh, trained(), { key: key(2) });
      const { x, y } = batch();
      const whole = await runExperts(cut, params, x, { tau: 1 });
      const expected = model.predict(x) as tf.Tensor;
      await expectClose(whole.output, expected, 1e-5);
      const { result, flops } = await meter(() => runExperts(cut, params, x, { tau: 0.3 }));
      expect(Math.abs(total(result.cost) / flops - 1)).toBeLessThan(0.01);
      expect(total(result.cost)).toBeLessThan(0.95 * total(whole.cost));
      const loss = routerLoss(cut)(params, { x, y }, { train: true });
      expect(loss.shape).toEqual([40]);
      treeDispose([fresh, params, x, y, whole.output, result.output, expected, loss]);
    });
    model.dispose();
  });

  it('runs some of the learners that its dense layers are dealt out to', async () => {
    const model = mine();
    await expectNoLeak(async () => {
      const layer = tokenBoost(mlpGate(dim, 4), dim, hidden / 4, { activation: 'relu' });
      const { model: boosted, trained } = replaceDensePair(fromLayersModel(model), ['wide', 'back'], layer as never);
      const fresh = boosted.init(key(1));
      const params = boostParams(fresh, trained());
      const { x, y } = batch();
      const whole = await runBoosted(boosted, params, x, { count: 4 });
      const expected = model.predict(x) as tf.Tensor;
      await expectClose(whole.output, expected, 1e-5);
      const { result, flops } = await meter(() => runBoosted(boosted, params, x, { count: 2 }));
      expect(Math.abs(total(result.cost) / flops - 1)).toBeLessThan(0.01);
      expect(total(result.cost)).toBeLessThan(0.8 * total(whole.cost));
      const loss = distillLoss(boosted, trained())(params, { x, y }, { train: true, key: key(3) });
      expect(loss.shape).toEqual([40]);
      treeDispose([fresh, params, x, y, whole.output, result.output, expected, loss]);
    });
    model.dispose();
  });

  it('says which layers can be replaced', () => {
    const model = mine();
    const layer = moe(normRouter(dim, 4), dim, hidden / 4, { kind: 'relu' }) as never;
    const base = fromLayersModel(model);
    expect(() => replaceDensePair(base, ['wide', 'answer'], layer)).toThrow(/embed, wide, back, answer/);
    expect(() => replaceDensePair(base, ['embed', 'wide'], layer)).toThrow(/without an activation/);
    model.dispose();
  });
});
