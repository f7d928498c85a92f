import { dense, generate, gpt, layerNorm, openCache, sequential, truncateCache, vit } from '@frugal/nn';
import { key, meter, randomNormal, type Tree, treeDispose, treeMap } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  decodeEarly,
  type ExitParams,
  maxProbability,
  plainHead,
  runSaturation,
  runTokenExits,
  saturationCosts,
  speculate,
  tokenCosts,
  topProbability,
  withExits,
} from '../index.ts';

const cache = { openCache, truncateCache };
const backbone = gpt({ vocabulary: 11, context: 32, dim: 16, depth: 4, heads: 2 });
const head = () => plainHead(sequential([layerNorm(16), dense(16, 11)] as const));
const model = withExits(backbone, [
  { at: 2, head: head() },
  { at: 4, head: head() },
]);
type Params = ExitParams<ReturnType<typeof backbone.init>>;

/** Weights large enough that texts vary and exits are of different minds. */
function parameters(seed: number): Params {
  const small = model.init(key(seed)) as Params;
  const params = treeMap((leaf) => tf.mul(leaf, leaf.rank === 2 ? 8 : 1), small as Tree) as Params;
  treeDispose(small as Tree);
  return params;
}

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const one of all) list.push(one);
  return list;
}

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describeEachBackend('speculate', () => {
  it.each([
    { exit: 0, draft: 1 },
    { exit: 0, draft: 4 },
    { exit: 1, draft: 3 },
    { exit: 0, draft: 6, confidence: 0.3 },
  ])('says token for token what the whole model says: %o', async (how) => {
    await expectNoLeak(async () => {
      for (const seed of [1, 2]) {
        const params = parameters(seed);
        for (const prompt of [[3], [1, 5, 2, 8]]) {
          const greedy = await collect(generate(backbone, params.backbone, prompt, { tokens: 24 }));
          const run = speculate(model, params, prompt, { tokens: 24, cache, ...how });
          const said: number[] = [];
          let step = await run.next();
          for (; step.done !== true; step = await run.next()) said.push(step.value);
          expect(said).toEqual(greedy);
          const { drafted, accepted, verifications } = step.value;
          expect(accepted).toBeLessThanOrEqual(drafted);
          expect(1 + accepted + verifications).toBe(24);
        }
        treeDispose(params as Tree);
      }
    });
  });

  it('frees everything where the caller leaves the loop', async () => {
    await expectNoLeak(async () => {
      const params = parameters(1);
      for await (const _ of speculate(model, params, [1, 2], { tokens: 20, cache })) break;
      treeDispose(params as Tree);
    });
  });

  it('refuses what it cannot do', async () => {
    const params = parameters(1);
    const first = (options: object, prompt = [1]) =>
      speculate(model, params, prompt, { tokens: 4, cache, ...options }).next();
    await expect(first({ exit: 2 })).rejects.toThrow(/behind the first block.*got 2/);
    await expect(first({ draft: 0 })).rejects.toThrow(/draft must be.*got 0/);
    await expect(first({ tokens: 40 })).rejects.toThrow(/at most 32 tokens/);
    await expect(first({}, [])).rejects.toThrow(/prompt is empty/);
    treeDispose(params as Tree);
  });
});

describeEachBackend('decodeEarly', () => {
  it('is greedy decoding where no exit is open', async () => {
    await expectNoLeak(async () => {
      const params = parameters(3);
      const greedy = await collect(generate(backbone, params.backbone, [4, 2], { tokens: 16 }));
      const policy = maxProbability([2, 2]);
      const early = await collect(decodeEarly(model, params, [4, 2], { tokens: 16, policy, cache }));
      expect(early.map(({ token }) => token)).toEqual(greedy);
      treeDispose(params as Tree);
    });
  });

  it('answers as running all tokens at once does, states copied forward', async () => {
    await expectNoLeak(async () => {
      const params = parameters(3);
      // Thresholds at which the exits differ; the prompt itself never leaves early, so it is one token.
      const policy = maxProbability([0.55, 0.6]);
      const early = await collect(decodeEarly(model, params, [4], { tokens: 20, policy, cache }));
      expect(new Set(early.map(({ exit }) => exit)).size).toBe(3);
      const text = [4, ...early.map(({ token }) => token)];
      const ids = tf.tensor2d([text.slice(0, -1)], undefined, 'int32');
      // The same tokens leave at the same exits: a policy that knows them.
      const known = early.map(({ exit }) => exit);
      const oracle = {
        ...maxProbability([0.5, 0.5]),
        start: () => ({
          score: (exit: number, _: Float32Array, rows: Int32Array) =>
            Float32Array.from(rows, (row) => Number(known[row] === exit)),
        }),
      };
      const run = await runTokenExits(model, params, ids, { policy: oracle });
      expect([...run.exits]).toEqual(known);
      const answers = tf.argMax(run.output, 2);
      expect([...(await answers.data())]).toEqual(early.map(({ token }) => token));
      treeDispose([params as Tree, ids, run.output, answers]);
    });
  });
});

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

describeEachBackend('runTokenExits', () => {
  it('costs what the meter counts, and answers as the exits do', async () => {
    await expectNoLeak(async () => {
      const params = parameters(5);
      const ids = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1], [2, 8], 'int32');
      const outputs = model.outputs(params, ids);
      const said = await Promise.all(outputs.map(async (one) => (await one.data()) as Float32Array));
      const sure = (exit: number): number[] =>
        Array.from({ length: 16 }, (_, t) => topProbability(said[exit]!.subarray(t * 11, (t + 1) * 11)));
      const policy = maxProbability([median(sure(0)), median(sure(1))]);
      const costs = tokenCosts(model, params, ids);
      const { result: run, flops } = await meter(() => runTokenExits(model, params, ids, { policy, costs }));
      expect(new Set(run.exits).size).toBeGreaterThan(1);
      expect(Math.abs(sumOf(run.cost) / flops - 1)).toBeLessThan(0.01);
      const answers = (await run.output.data()) as Float32Array;
      const first = Array.from(run.exits.keys()).filter((t) => run.exits[t] === 0);
      expect(first.length).toBeGreaterThan(4);
      for (const t of first) {
        for (let c = 0; c < 11; c++) expect(answers[t * 11 + c]).toBeCloseTo(said[0]![t * 11 + c]!, 4);
      }
      treeDispose([params as Tree, ids, run.output, outputs]);
    });
  });

  it('never runs what everybody has left before', async () => {
    await expectNoLeak(async () => {
      const params = parameters(5);
      const blocks = params.backbone.blocks.map((block, i) =>
        i < 1 ? block : (treeMap((leaf) => tf.fill(leaf.shape, Number.NaN), block) as typeof block),
      );
      const poisoned = { ...params, backbone: { ...params.backbone, blocks } } as Params;
      const ids = tf.tensor2d([1, 2, 3], [1, 3], 'int32');
      const costs = tokenCosts(model, params, ids);
      const run = await runTokenExits(model, poisoned, ids, { policy: maxProbability([0, 0]), costs });
      expect((await run.output.data()).every(Number.isFinite)).toBe(true);
      treeDispose([params as Tree, blocks.slice(1) as Tree, ids, run.output]);
    });
  });
});

describeEachBackend('runSaturation', () => {
  const seer = vit({ depth: 3, dim: 16, heads: 2 });
  it('is the whole network where nothing saturates, and costs by the meter where tokens stop', async () => {
    await expectNoLeak(async () => {
      const params = seer.init(key(1));
      const x = randomNormal(key(2), [3, 28, 28, 1]);
      const whole = seer.apply(params, x);
      const costs = saturationCosts(seer, params, x);
      const closed = await runSaturation(seer, params, x, { thresholds: [2, 2], costs });
      await expectClose(closed.output, whole, 1e-5);
      // Some level that divides the tokens.
      for (let level = 0.99; ; level -= 0.02) {
        const { result: open, flops } = await meter(() =>
          runSaturation(seer, params, x, { thresholds: [level, level], costs }),
        );
        open.output.dispose();
        expect(Math.abs(sumOf(open.cost) / flops - 1)).toBeLessThan(0.01);
        if (new Set(open.depth).size < 2) continue;
        expect(sumOf(open.cost)).toBeLessThan(sumOf(closed.cost));
        break;
      }
      await expect(runSaturation(seer, params, x, { thresholds: [1] })).rejects.toThrow(/2 in this model.*got 1/);
      treeDispose([params, x, whole, closed.output]);
    });
  });
});
