import * as nn from '@frugal/nn';
import { key, randomNormal, type Staged, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { agreement } from './agreement.ts';
import { marginsOf } from './difficulty.ts';
import { extremes, topOverlap } from './overlap.ts';
import { predictionDepth } from './prediction-depth.ts';

describeEachBackend('prediction depth', () => {
  it('and margins: how far the right class is from leading', async () => {
    const logits = tf.tensor2d([1, 3, 2, 5, 0, 4], [2, 3]);
    const labels = tf.tensor1d([1, 2], 'int32');
    await expectNoLeak(async () => expect([...(await marginsOf(logits, labels))]).toEqual([-1, 1]));
    await expect(marginsOf(logits, logits)).rejects.toThrow(/labels \[B\]/);
    const wrong = tf.tensor1d([1, 3], 'int32');
    await expect(marginsOf(logits, wrong)).rejects.toThrow(/labels\[1\] is 3/);
    tf.dispose([logits, labels, wrong]);
  });

  it('is where all later probes agree with the answer', async () => {
    await expectNoLeak(async () => {
      // |x| decides: in the input classes interleave, after abs they lie apart.
      const abs = { init: () => ({}), apply: (_: object, x: tf.Tensor) => tf.abs(x) };
      const model = nn.sequential([abs, nn.dense(1, 2)]) as unknown as Staged;
      const params = [{}, { weight: tf.tensor2d([[-2, 2]]), bias: tf.tensor1d([2, -2]) }];
      const x = tf.tensor2d([-3, -2.6, -2.2, -0.4, -0.2, 0.1, 0.3, 0.5, 2.1, 2.4], [10, 1]);
      const y = tf.tensor1d([1, 1, 1, 0, 0, 0, 0, 0, 1, 1], 'int32');
      // The neighbours of 1.32 are 2.1, 0.5 and 0.3 in the input, and 2.1, 0.5 and −2.2 after abs.
      const queries = tf.tensor2d([-2.4, 0.2, 1.32], [3, 1]);
      const { depth, probes, predictions } = await predictionDepth(model, params, { x, y }, queries, {
        k: 3,
        batchSize: 2,
      });
      expect([...predictions]).toEqual([1, 0, 1]);
      expect(probes.map((one) => [...one])).toEqual([
        [1, 0, 0],
        [1, 0, 1],
        [1, 0, 1],
        [1, 0, 1],
      ]);
      expect([...depth]).toEqual([0, 0, 1]);
      // Labels that the network does not know: no probe agrees with it.
      const turned = tf.sub(1, y) as tf.Tensor;
      const never = await predictionDepth(model, params, { x, y: turned }, queries, { k: 3 });
      expect([...never.depth]).toEqual([4, 4, 4]);
      treeDispose([params[1]!, x, y, queries, turned]);
    });
  });

  it('equals a plain search of neighbours, also without the example itself', async () => {
    await expectNoLeak(async () => {
      const model = nn.mlp([5, 8, 6, 3]) as unknown as Staged;
      const params = model.init(key(1));
      const x = randomNormal(key(2), [60, 5]);
      const labels = Array.from({ length: 60 }, (_, i) => (i * i) % 3);
      const y = tf.tensor1d(labels, 'int32');
      const k = 5;
      const { depth, probes, predictions } = await predictionDepth(model, params, { x, y }, x, {
        k,
        leaveOneOut: true,
      });
      const points = [x.clone()];
      for (const stage of model.stages) points.push(stage.apply(params, points.at(-1)!));
      points.push(tf.softmax(points.at(-1)!));
      const expected = await Promise.all(
        points.map(async (point) => {
          const rows = (await point.array()) as number[][];
          return rows.map((query, i) => {
            const others = rows
              .map((row, j) => ({ j, d: row.reduce((sum, v, c) => sum + (v - query[c]!) ** 2, 0) }))
              .filter(({ j }) => j !== i)
              .sort((a, b) => a.d - b.d)
              .slice(0, k)
              .map(({ j }) => labels[j]!);
            const counts = [0, 1, 2].map((c) => others.filter((one) => one === c).length);
            const most = Math.max(...counts);
            return others.find((one) => counts[one] === most)!;
          });
        }),
      );
      // Hardly any distance is so close to another one that float32 turns them round.
      let different = 0;
      for (const [p, own] of expected.entries())
        for (const [i, v] of own.entries()) if (probes[p]![i] !== v) different++;
      expect(different).toBeLessThanOrEqual(2);
      for (const [i, at] of depth.entries()) {
        for (let p = at; p < probes.length; p++) expect(probes[p]![i]).toBe(predictions[i]);
        if (at > 0) expect(probes[at - 1]![i]).not.toBe(predictions[i]);
      }
      expect(new Set(depth).size).toBeGreaterThan(1);
      treeDispose([params, x, y, points]);
    });
  });

  it('refuses too few neighbours', async () => {
    const model = nn.mlp([2, 2]) as unknown as Staged;
    const params = model.init(key(1));
    const [x, y] = [tf.zeros([4, 2]), tf.zeros([4], 'int32')];
    await expect(predictionDepth(model, params, { x, y }, x, { k: 4, leaveOneOut: true })).rejects.toThrow(
      /from 1 to the 3/,
    );
    await expect(predictionDepth(model, params, { x, y }, x)).rejects.toThrow(/got k 30/);
    treeDispose([params, x, y]);
  });
});

describe('the ends of a ranking', () => {
  it('overlap: by hand, with ties, and of unrelated lists', () => {
    expect(topOverlap([1, 2, 3, 4], [4, 1, 2, 3], 2)).toBe(0.5);
    expect(topOverlap([1, 2, 3, 4], [10, 20, 30, 40], 3)).toBe(1);
    // 2, 3 and 4 are tied for two places: each is in by two thirds.
    expect(topOverlap([0, 1, 1, 1], [0, 1, 2, 3], 2)).toBeCloseTo(2 / 3, 12);
    expect(topOverlap([1, 1, 1, 1, 1], [1, 2, 3, 4, 5], 2)).toBeCloseTo(2 / 5, 12);
    expect(() => topOverlap([1, 2], [1, 2], 3)).toThrow(/from 1 to 2/);
    const runs = [1, 2, 3].map((seed) => Array.from({ length: 40 }, (_, i) => i + 0.1 * ((i * seed * 7) % 5)));
    const { ceilings } = agreement(
      { a: runs },
      { key: key(1), resamples: 100, correlation: (x, y) => topOverlap(x, y, 4) },
    );
    expect(ceilings['a']!.estimate).toBeGreaterThan(0.9);
  });

  it('extremes: from the end inwards', () => {
    expect(extremes([3, 1, 2, 3], 2)).toEqual({ easiest: [1, 2], hardest: [0, 3] });
  });
});
