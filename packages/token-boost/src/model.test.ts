import { gpt, openCache, vit } from '@frugal/nn';
import {
  createState,
  foldIn,
  key,
  meter,
  randomIntegers,
  randomNormal,
  type Tree,
  treeDispose,
  treeEntries,
  treeLeaves,
  treeMap,
  valueAndGrad,
  withPlans,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { boostedBlock } from './boosted-block.ts';
import { boostParams } from './convert.ts';
import { boostLoss, distillLoss, gateLoss } from './phases/losses.ts';
import { gateLabels } from './phases/teach.ts';
import { planModel, runModel } from './run-model.ts';

const sizes = { input: [14, 14, 1], dim: 16, depth: 2, heads: 2, classes: 3 } as const;
const dense = vit(sizes);
const model = vit({ ...sizes, block: () => boostedBlock(16) });
const training = { train: true, key: key(7) };
const paths = [0, 1].flatMap((i) => ['attn.qkv', 'attn.proj', 'mlp'].map((name) => `blocks.${i}.${name}`));

/** Fresh boosted parameters of trained ones that no training made. */
function converted() {
  const [trained, fresh] = [dense.init(key(1)), model.init(key(2))];
  const params = boostParams(fresh, trained);
  treeDispose(fresh);
  return { trained, params };
}

const batchOf = (n: number) => ({
  x: randomNormal(foldIn(key(3), n), [4, 14, 14, 1]),
  y: tf.tensor1d([0, 1, 2, 0], 'int32'),
});
const task = (logits: tf.Tensor, y: tf.Tensor): tf.Tensor1D =>
  tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits as tf.Tensor2D), tf.cast(tf.oneHot(y as tf.Tensor1D, 3), 'float32')), 1));

/** The largest |gradient| by path. */
async function sizesOf(grads: Tree): Promise<Map<string, number>> {
  const out = new Map<string, number>();
  for (const [path, leaf] of treeEntries(grads)) out.set(path, Math.max(...Array.from(await leaf.data(), Math.abs)));
  return out;
}

describeEachBackend('a boosted vit', () => {
  it('has a feed-forward network that is the trained one with all learners', async () => {
    await expectNoLeak(async () => {
      const small = vit({ ...sizes, block: () => boostedBlock(16, { projections: false }) });
      const [trained, fresh] = [dense.init(key(1)), small.init(key(2))];
      const params = boostParams(fresh, trained);
      const { x, y } = batchOf(0);
      const expected = dense.apply(trained, x);
      const run = await runModel(small, params, x, { count: 4 });
      await expectClose(run.output, expected, 2e-5);
      const less = await runModel(small, params, x, { count: 1 });
      expect(less.cost[0]!).toBeLessThan(0.65 * run.cost[0]!);
      tf.dispose([trained, fresh, params, x, y, expected, run.output, less.output] as tf.TensorContainer);
    });
  });

  it('runs at the cost that the meter counts, per example, every kernel once', async () => {
    await expectNoLeak(async () => {
      const { trained, params } = converted();
      const { x, y } = batchOf(0);
      const { result, flops } = await meter(() => runModel(model, params, x, { threshold: 0.6 }));
      expect([...result.plans.keys()]).toEqual(paths);
      const total = result.cost.reduce((sum, cost) => sum + cost, 0);
      expect(result.cost).toHaveLength(4);
      expect(Math.abs(total - flops) / flops).toBeLessThan(0.01);
      // Once: under plans, without any stop, the model computes the same at the same cost but for the gates.
      const { result: again, flops: planned } = meter(() => model.apply(params, x, withPlans(result.plans)));
      await expectClose(again, result.output, 2e-6);
      const gates = 64 / 4 / 4; // dim 16: the gates' share, a few per cent
      expect(flops).toBeGreaterThan(planned);
      expect(flops / planned).toBeLessThan(1 + gates / 10);
      const plans = await planModel(model, params, x, { threshold: 0.6 });
      expect(plans.get('blocks.1.mlp')!.counts).toEqual(result.plans.get('blocks.1.mlp')!.counts);
      tf.dispose([trained, params, x, y, result.output, again] as tf.TensorContainer);
    });
  });

  it('learns in three phases, each teaching its own part alone', async () => {
    await expectNoLeak(async () => {
      const { trained, params } = converted();
      const batch = batchOf(0);
      const part = (path: string) =>
        path.includes('.gate.') ? 'gate' : /\.learners\./.test(path) ? 'learners' : 'rest';
      const taught = async (loss: ReturnType<typeof distillLoss<typeof params>>): Promise<Set<string>> => {
        const [value, grads] = valueAndGrad((p: typeof params) => {
          const each = loss(p, batch, training);
          expect(each.shape).toEqual([4]);
          return tf.mean(each);
        })(params);
        const found = new Set<string>();
        for (const [path, size] of await sizesOf(grads as Tree)) if (size > 1e-7) found.add(part(path));
        tf.dispose([value, grads] as tf.TensorContainer);
        return found;
      };
      // The layers' biases are learnt with the learners.
      expect(await taught(distillLoss(model, trained))).toEqual(new Set(['learners', 'rest']));
      expect(await taught(gateLoss(model, trained))).toEqual(new Set(['gate']));
      expect(await taught(boostLoss(model, task, { target: 0.5 }))).toEqual(new Set(['gate', 'learners', 'rest']));
      tf.dispose([trained, params, batch.x, batch.y] as tf.TensorContainer);
    });
  });

  it('distils its learners', async () => {
    const [small, boosted] = [vit({ ...sizes, depth: 1 }), vit({ ...sizes, depth: 1, block: () => boostedBlock(16) })];
    const [trained, fresh] = [small.init(key(1)), boosted.init(key(2))];
    let params = boostParams(fresh, trained);
    const loss = distillLoss(boosted, trained);
    const seen: number[] = [];
    for (let step = 0; step < 15; step++) {
      const batch = batchOf(step);
      const [value, grads] = valueAndGrad((p: typeof params) => tf.tidy(() => tf.mean(loss(p, batch, training))))(
        params,
      );
      seen.push((await value.data())[0]!);
      const next = treeMap((p, g) => tf.tidy(() => tf.sub(p, tf.mul(g!, 1))), params, grads as Tree) as typeof params;
      tf.dispose([batch.x, batch.y, params, value, grads] as tf.TensorContainer);
      params = next;
    }
    expect(seen.at(-1)!).toBeLessThan(0.95 * seen[0]!);
    for (const tree of [trained, fresh, params]) treeDispose(tree);
  });

  it('adds losses that say what they should', async () => {
    await expectNoLeak(async () => {
      const params = model.init(key(2));
      const { x, y } = batchOf(0);
      const none = { budget: 0, entropy: 0, diversity: 0 };
      const parts = {
        task: none,
        ...Object.fromEntries(Object.keys(none).map((name) => [name, { ...none, [name]: 1 }])),
      };
      const values: Record<string, number> = {};
      for (const [name, weights] of Object.entries(parts)) {
        const loss = tf.tidy(() =>
          tf.mean(boostLoss(model, task, { target: 0.25, ...weights })(params, { x, y }, training)),
        );
        values[name] = (await loss.data())[0]!;
        loss.dispose();
      }
      const seen = new Map<string, tf.Tensor>();
      const spy = {
        ...training,
        choices: (path: string, { choice }: { choice: tf.Tensor }) => void seen.set(path, tf.keep(tf.clone(choice))),
      };
      tf.dispose(tf.tidy(() => model.apply(params, x, spy)));
      // By hand, on the host: 4 tokens an example.
      let [used, most, entropy] = [0, 0, 0];
      const means = [0, 0, 0, 0];
      for (const [path, tensor] of seen) {
        const choice = await tensor.data();
        tensor.dispose();
        const min = path.endsWith('mlp') ? 0 : 1;
        const count = 5 - min;
        const [inside, out] = path.endsWith('mlp') ? [16, 16] : path.endsWith('qkv') ? [16, 48] : [16, 16];
        const hidden = path.endsWith('mlp') ? 16 : path.endsWith('qkv') ? 3 : 2;
        const flops = hidden * (2 * inside + 10) + out * (2 * hidden + 1);
        for (let b = 0; b < 4; b++) {
          const mixture = Array.from({ length: count }, (_, c) =>
            [0, 1, 2, 3].reduce((sum, t) => sum + choice[(4 * b + t) * count + c]! / 4, 0),
          );
          const learners = mixture.reduce((sum, p, c) => sum + p * (c + min), 0);
          used += (learners * flops) / 4;
          means[b]! += learners / 6;
          entropy += mixture.reduce((sum, p) => sum + (p > 0 ? p * Math.log(p) : 0), 0) / Math.log(count) / 24;
        }
        most += 4 * flops;
      }
      const spread = means.flatMap((a) => means.map((b) => Math.abs(a - b))).reduce((a, b) => a + b, 0) / 16;
      expect(values.budget! - values.task!).toBeCloseTo(Math.abs(used / most - 0.25), 4);
      expect(values.entropy! - values.task!).toBeCloseTo(entropy, 4);
      expect(values.diversity! - values.task!).toBeCloseTo(-spread, 4);
      for (const tree of [params, x, y]) treeDispose(tree);
    });
  });

  it('says what does not fit', () => {
    const [fresh, other] = [model.init(key(2)), vit({ ...sizes, depth: 1 }).init(key(1))];
    expect(() => boostParams(fresh, other)).toThrow(/at 'blocks.1' there should be something, got nothing/);
    const { x, y } = batchOf(0);
    const deep = model.init(key(1));
    expect(() => distillLoss(model, other)(deep, { x, y }, training)).toThrow(/at 'blocks.1.attn.qkv'/);
    for (const tree of [fresh, other, deep, x, y]) treeDispose(tree);
  });
});

describeEachBackend('gateLabels', () => {
  it('are the first n that no longer helps enough, all learners where each helps', async () => {
    const distances = [
      [4, 4, 4, 4],
      [3.5, 2, 2, 2],
      [1, 1.9, 1, 1],
      [0.1, 0, 0.9, 0.1],
    ].map((row) => tf.tensor1d(row));
    const labels = gateLabels(distances, 0.83);
    expect(Array.from(await labels.data())).toEqual([2, 3, 4, 4]);
    tf.dispose([distances, labels]);
  });
});

describeEachBackend('a boosted gpt', () => {
  it('takes over a trained one, projections too, and learns from it', async () => {
    await expectNoLeak(async () => {
      const sizes = { vocabulary: 11, context: 8, dim: 16, depth: 1, heads: 2 };
      const plain = gpt(sizes);
      const trained = plain.init(key(1));
      const x = randomIntegers(key(2), [3, 6], { max: 11 });
      const expected = plain.apply(trained, x);
      const some = gpt({ ...sizes, block: () => boostedBlock(16, { projections: false }) });
      const fresh = some.init(key(3));
      const same = boostParams(fresh, trained);
      const run = await runModel(some, same, x, { count: 4 });
      await expectClose(run.output, expected, 2e-5);

      const all = gpt({ ...sizes, block: () => boostedBlock(16) });
      const start = all.init(key(4));
      let params = boostParams(start, trained);
      const loss = distillLoss(all, trained);
      const seen: number[] = [];
      for (let step = 0; step < 8; step++) {
        const [value, grads] = valueAndGrad((p: typeof params) =>
          tf.tidy(() => tf.mean(loss(p, { x, y: x }, training))),
        )(params);
        seen.push((await value.data())[0]!);
        const next = treeMap((p, g) => tf.tidy(() => tf.sub(p, g!)), params, grads as Tree) as typeof params;
        tf.dispose([params, value, grads] as tf.TensorContainer);
        params = next;
      }
      expect(seen.at(-1)!).toBeLessThan(0.95 * seen[0]!);
      // One knob, two ways to turn it: neither may let the cost fall.
      for (const knobs of [[-3, 0, 3].map((tilt) => ({ tilt })), [0, 0.5, 1].map((threshold) => ({ threshold }))]) {
        const costs: number[] = [];
        for (const knob of knobs) {
          const { cost, output, plans } = await runModel(all, params, x, knob);
          expect([...plans.keys()]).toEqual(['attn.qkv', 'attn.proj', 'mlp'].map((name) => `blocks.0.${name}`));
          costs.push(cost.reduce((a, b) => a + b));
          output.dispose();
        }
        expect(costs).toEqual([...costs].sort((a, b) => a - b));
        expect(costs.at(-1)!).toBeGreaterThan(1.5 * costs[0]!);
      }
      tf.dispose([trained, x, expected, fresh, same, run.output, start, params] as tf.TensorContainer);
    });
  });

  it('continues a text token by token with caches, as it reads it at once', async () => {
    await expectNoLeak(async () => {
      const text = gpt({
        vocabulary: 11,
        context: 8,
        dim: 16,
        depth: 2,
        heads: 2,
        block: () => boostedBlock(16),
      });
      const params = text.init(key(1));
      const ids = randomIntegers(key(2), [2, 6], { max: 11 });
      const whole = await runModel(text, params, ids, { threshold: 0.5 });
      expect(treeLeaves(params as Tree).length).toBeGreaterThan(0);
      const state = createState();
      openCache(state, text.caches);
      const parts: tf.Tensor[] = [];
      for (let t = 0; t < 6; t++) {
        const one = tf.slice(ids, [0, t], [2, 1]);
        const run = await runModel(text, params, one, { ctx: { train: false, state }, threshold: 0.5 });
        parts.push(run.output);
        one.dispose();
      }
      const joined = tf.concat(parts, 1);
      await expectClose(joined, whole.output, 2e-5);
      state.dispose();
      tf.dispose([params, ids, whole.output, joined, parts] as tf.TensorContainer);
    });
  });
});
