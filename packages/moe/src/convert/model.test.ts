import { vit } from '@frugal/nn';
import {
  type Dataset,
  foldIn,
  key,
  type Labelled,
  meter,
  randomNormal,
  type Tree,
  treeDispose,
  treeEntries,
  treeMap,
  valueAndGrad,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { calibrateBudget, runModel } from '../route-model.ts';
import { coactivationGroups } from './coactivation-groups.ts';
import { expertBlock, expertParams } from './expert-block.ts';
import { networkBlock, networkParams, projectionLoss } from './projection-network.ts';
import { routerLoss } from './teach-router.ts';

const sizes = {
  input: [14, 14, 1],
  dim: 16,
  depth: 2,
  heads: 2,
  classes: 3,
  feedForward: { activation: 'relu' },
} as const;
const dense = vit(sizes);
const networks = vit({ ...sizes, block: () => networkBlock({ experts: 4 }) });
const model = vit({ ...sizes, block: () => expertBlock(16, { experts: 4, projections: true }) });
const training = { train: true };
const images = (n: number, size = 4): Labelled => ({
  x: randomNormal(foldIn(key(3), n), [size, 14, 14, 1]),
  y: tf.zeros([size], 'int32'),
});

/** Paths whose gradient is not 0. */
async function touched(grads: Tree): Promise<string[]> {
  const found: string[] = [];
  for (const [path, leaf] of treeEntries(grads)) {
    if (Math.max(...Array.from(await leaf.data(), Math.abs)) > 1e-7) found.push(path);
  }
  return found;
}

describe('coactivationGroups', () => {
  it('puts together what is active together', () => {
    // Units 0, 3, 6 on even tokens, 1, 4, 7 on every third, 2, 5, 8 on every fifth.
    const [every, units, tokens] = [[2, 3, 5], 9, 60];
    const activity = Float32Array.from({ length: tokens * units }, (_, i) =>
      Number(Math.floor(i / units) % every[(i % units) % 3]! === 0),
    );
    for (const seed of [1, 2, 3]) {
      const groups = coactivationGroups(activity, units, 3, { key: key(seed) });
      expect(groups.map((group) => group.map((unit) => unit % 3).join()).sort()).toEqual(['0,0,0', '1,1,1', '2,2,2']);
    }
    expect(() => coactivationGroups(activity, 7, 1, { key: key(1) })).toThrow(/\[tokens, units\]/);
  });
});

describeEachBackend('a vit cut into experts, projections too', () => {
  it('computes what it was with all experts, and each lesson teaches its own part alone', async () => {
    await expectNoLeak(async () => {
      const [trained, freshNetworks, fresh] = [dense.init(key(1)), networks.init(key(2)), model.init(key(4))];
      const first = networkParams(freshNetworks, trained);
      const batch = images(0);
      const before = networks.apply(first, batch.x);
      const lesson = projectionLoss(networks, trained);
      const [value, grads] = valueAndGrad((p: typeof first) => tf.tidy(() => tf.mean(lesson(p, batch, training))))(
        first,
      );
      expect((await touched(grads as Tree)).every((path) => /attn\.(qkv|proj)\.fc/.test(path))).toBe(true);
      const params = await expertParams(fresh, first, { key: key(5) });
      const all = await runModel(model, params, batch.x, { tau: 1 });
      await expectClose(all.output, before, 2e-5);
      const { result: some, flops } = await meter(() => runModel(model, params, batch.x, { tau: 0.3 }));
      expect([...some.plans.keys()]).toContain('blocks.1.attn.qkv');
      const total = some.cost.reduce((a, b) => a + b, 0);
      expect(Math.abs(total - flops) / flops).toBeLessThan(0.01);
      expect(total).toBeLessThan(0.9 * all.cost.reduce((a, b) => a + b, 0));
      const route = routerLoss(model);
      const [wrong, byRouter] = valueAndGrad((p: typeof params) => tf.tidy(() => tf.mean(route(p, batch, training))))(
        params,
      );
      const paths = await touched(byRouter as Tree);
      expect(paths.length).toBeGreaterThan(0);
      expect(paths.every((path) => path.includes('.router.'))).toBe(true);
      tf.dispose([value, wrong]);
      for (const tree of [trained, freshNetworks, fresh, first, batch, before, all.output, some.output])
        treeDispose(tree);
      treeDispose([params, grads as Tree, byRouter as Tree]);
    });
  });

  it('teaches the networks of projections', async () => {
    const [one, other] = [vit({ ...sizes, depth: 1 }), vit({ ...sizes, depth: 1, block: () => networkBlock() })];
    const [trained, fresh] = [one.init(key(1)), other.init(key(2))];
    let params = networkParams(fresh, trained);
    const lesson = projectionLoss(other, trained);
    const seen: number[] = [];
    for (let step = 0; step < 15; step++) {
      const batch = images(step);
      const [value, grads] = valueAndGrad((p: typeof params) => tf.tidy(() => tf.mean(lesson(p, batch, training))))(
        params,
      );
      seen.push((await value.data())[0]!);
      const next = treeMap((p, g) => tf.tidy(() => tf.sub(p, tf.mul(g!, 1))), params, grads as Tree) as typeof params;
      for (const tree of [batch, params, value, grads as Tree]) treeDispose(tree);
      params = next;
    }
    expect(seen.at(-1)!).toBeLessThan(0.95 * seen[0]!);
    for (const tree of [trained, fresh, params]) treeDispose(tree);
  });
});

describeEachBackend('calibrateBudget', () => {
  it('meets a budget within 3 % on fresh examples', async () => {
    await expectNoLeak(async () => {
      const few = tf.getBackend() === 'cpu';
      const [size, within] = few ? [400, 0.06] : [10_000, 0.03];
      const small = vit({ ...sizes, depth: 1, block: () => expertBlock(16, { experts: 4 }) });
      const params = small.init(key(7));
      const data = (seed: number): Dataset<Labelled> => ({
        size,
        batchSize: size / 2,
        batchesPerEpoch: 2,
        async *batches() {
          for (const i of [0, 1]) yield images(seed + i, size / 2);
        },
      });
      const probe = images(0);
      const [most, least] = [
        await runModel(small, params, probe.x, { tau: 1 }),
        await runModel(small, params, probe.x, { tau: 0 }),
      ];
      const flops = (most.cost[0]! + least.cost[0]!) / 2;
      const { tau, cost } = await calibrateBudget(small, params, data(50), flops);
      expect(Math.abs(cost / flops - 1)).toBeLessThan(0.005);
      let sum = 0;
      for await (const { x, y } of data(90).batches({ key: key(0), epoch: 0 })) {
        const run = await runModel(small, params, x, { tau });
        sum += run.cost.reduce((a, b) => a + b, 0);
        tf.dispose([x, y, run.output]);
      }
      expect(Math.abs(sum / size / flops - 1)).toBeLessThan(within);
      for (const tree of [params, probe, most.output, least.output]) treeDispose(tree as Tree);
    });
  });
});
