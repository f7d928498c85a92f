import { adam, train } from '@frugal/core-trainer';
import { activation, conv2d, dense, flatten, maxPool2d, mlp, sequential, wrap } from '@frugal/nn';
import {
  foldIn,
  key,
  randomIntegers,
  randomNormal,
  type Staged,
  type Tree,
  treeDispose,
  treeEntries,
  treeMaterialize,
  valueAndGrad,
  vjp,
} from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { cosineSimilarity } from '../diagnostics/diagnose.ts';
import type { LocalParams } from './heads.ts';
import { type LocalLearningOptions, localLearning } from './local-learning.ts';
import { crossEntropyLoss, squaredErrorLoss } from './output-loss.ts';

type Batch = { x: tf.Tensor; y: tf.Tensor };
type Params = LocalParams<Tree>;

const relu = mlp([6, 9, 7, 4]) as unknown as Staged;
const tanh = mlp([6, 9, 7, 4], { activation: 'tanh' }) as unknown as Staged;
const conv = sequential([
  wrap(conv2d(1, 4, 3, { strides: 2 }), { after: [activation('relu')] }),
  wrap(conv2d(4, 6, 2), { after: [activation('relu')] }),
  wrap(dense(24, 3), { before: [flatten()] }),
]) as unknown as Staged;

const vectors = (): Batch => ({ x: randomNormal(key(1), [12, 6]), y: randomIntegers(key(2), [12], { max: 4 }) });
const images = (): Batch => ({ x: randomNormal(key(1), [5, 8, 8, 1]), y: randomIntegers(key(2), [5], { max: 3 }) });
const cases: [string, Staged, readonly number[], () => Batch][] = [
  ['ReLU', relu, [6], vectors],
  ['tanh', tanh, [6], vectors],
  ['convolutions', conv, [8, 8, 1], images],
];

/** The gradients of a local method as dense tensors by path. */
function gradientsOf(model: Staged, options: LocalLearningOptions<Batch>, params: Params, batch: Batch, seed = 3) {
  const local = localLearning<Tree, Batch>(model, options);
  const { loss, grads } = local.estimator(local.loss, params, batch, key(seed));
  loss.dispose();
  const dense = treeMaterialize(grads);
  treeDispose(grads);
  return { tree: dense, byPath: Object.fromEntries(treeEntries(dense)) };
}

/** The gradient of each stage's and head's own loss by reverse mode through that stage alone. */
function oracle(model: Staged, params: Params, { x, y }: Batch): Record<string, tf.Tensor> {
  const out: Record<string, tf.Tensor> = {};
  const last = model.stages.length - 1;
  let h = x;
  for (const [i, stage] of model.stages.entries()) {
    const f = (p: { model: Tree; head: Tree }) => {
      const z = stage.apply(p.model, h, { train: true });
      const logits =
        i === last
          ? z
          : i === last - 1
            ? model.stages[last]!.apply(params.model, z, { train: true })
            : tf.add(
                tf.matMul(tf.reshape(z, [z.shape[0]!, -1]), (p.head as never as { weight: tf.Tensor }).weight),
                (p.head as never as { bias: tf.Tensor }).bias,
              );
      return tf.mean(crossEntropyLoss.value(logits as tf.Tensor2D, y));
    };
    const [value, grads] = valueAndGrad(f)({ model: params.model, head: (params.heads[i] ?? {}) as never });
    const mine = new Set(treeEntries(stage.params(params.model)).map(([, leaf]) => leaf));
    const all = treeEntries(params.model);
    for (const [j, [path, g]] of treeEntries(grads.model).entries()) {
      if (mine.has(all[j]![1])) out[`model.${path}`] = g;
      else g.dispose();
    }
    for (const [path, g] of treeEntries(grads.head)) out[`heads.${i}.${path}`] = g;
    value.dispose();
    const next = tf.tidy(() => stage.apply(params.model, h, { train: true }));
    if (h !== x) h.dispose();
    h = next;
  }
  h.dispose();
  return out;
}

describeEachBackend('local learning', (backend) => {
  it.each(cases)('exactly is the gradient of each local loss: %s', async (_, model, inputShape, make) => {
    await expectNoLeak(async () => {
      const batch = make();
      const params = localLearning<Tree, Batch>(model, { inputShape }).model.init(key(5));
      const { tree, byPath } = gradientsOf(model, { inputShape, method: 'exact' }, params, batch);
      const expected = oracle(model, params, batch);
      expect(Object.keys(byPath).sort()).toEqual(Object.keys(expected).sort());
      for (const [path, g] of Object.entries(expected)) await expectClose(byPath[path]!, g, 1e-5);
      treeDispose([batch, params, tree, expected]);
    });
  });

  it.each(cases)(
    'greedily with groups of one unit is exact, with more has its mean: %s',
    async (_, model, inputShape, make) => {
      await expectNoLeak(async () => {
        const batch = make();
        const params = localLearning<Tree, Batch>(model, { inputShape }).model.init(key(5));
        const exact = gradientsOf(model, { inputShape, method: 'exact' }, params, batch);
        const single = gradientsOf(model, { inputShape, groupSize: 1 }, params, batch);
        for (const [path, g] of Object.entries(exact.byPath)) await expectClose(single.byPath[path]!, g, 1e-5);
        // Four units a group: 9 and 7 units leave a last group that is not full.
        const trials = 60;
        let mean = treeMaterialize(single.tree as never);
        const one = gradientsOf(model, { inputShape, groupSize: 4 }, params, batch, 100);
        const alone = await cosineSimilarity(one.tree as never, exact.tree as never);
        treeDispose([mean, one.tree]);
        mean = tf.tidy(() => {
          const sums = new Map<string, tf.Tensor>();
          for (let i = 0; i < trials; i++) {
            const { byPath } = gradientsOf(model, { inputShape, groupSize: 4 }, params, batch, 100 + i);
            for (const [path, g] of Object.entries(byPath))
              sums.set(path, sums.has(path) ? tf.add(sums.get(path)!, g) : g);
          }
          return Object.fromEntries([...sums].map(([path, sum]) => [path, tf.div(sum, trials)]));
        });
        const together = await cosineSimilarity(mean as never, exact.byPath as never);
        expect(alone).toBeLessThan(0.99);
        expect(together).toBeGreaterThan(0.985);
        expect(together).toBeGreaterThan(alone);
        treeDispose([batch, params, exact.tree, single.tree, mean]);
      });
    },
  );

  it.each(cases)('guided follows the global loss along the local gradient: %s', async (_, model, inputShape, make) => {
    await expectNoLeak(async () => {
      const batch = make();
      const params = localLearning<Tree, Batch>(model, { inputShape }).model.init(key(5));
      const exact = gradientsOf(model, { inputShape, method: 'exact' }, params, batch);
      const guided = gradientsOf(model, { inputShape, method: 'guided' }, params, batch);
      // The last hidden stage's local loss is the global one.
      for (const path of ['model.1.weight', 'model.1.bias', 'model.2.weight', 'heads.0.weight']) {
        await expectClose(guided.byPath[path]!, exact.byPath[path]!, 1e-5);
      }
      // The first one: per example ∂L/∂z projected on the direction of the local gradient; the bias sums it.
      const expected = tf.tidy(() => {
        const [h, slope] = slopeOf(model, params, batch.x);
        const rest = (z: tf.Tensor): tf.Tensor => {
          let out = z;
          for (const stage of model.stages.slice(1)) out = stage.apply(params.model, out, { train: true });
          return crossEntropyLoss.value(out as tf.Tensor2D, batch.y);
        };
        const rows = h.shape[0]!;
        const flat = (t: tf.Tensor): tf.Tensor2D => tf.reshape(t, [rows, -1]);
        const [losses, back] = vjp(rest, [h]);
        const global = tf.mul(flat(back(tf.onesLike(losses))[0]), flat(slope));
        back.dispose();
        const head = params.heads[0]!;
        const e = crossEntropyLoss.slope(tf.add(tf.matMul(flat(h), head.weight), head.bias) as tf.Tensor2D, batch.y);
        const local = tf.mul(tf.matMul(e, head.weight, false, true), flat(slope));
        const unit = tf.div(local, tf.norm(local, 2, 1, true));
        const g = tf.mul(unit, tf.sum(tf.mul(global, unit), 1, true));
        const bias = tf.sum(tf.reshape(g, [-1, h.shape.at(-1)!]), 0);
        return tf.div(bias, rows);
      });
      await expectClose(guided.byPath['model.0.bias']!, expected, 1e-5);
      treeDispose([batch, params, exact.tree, guided.tree, expected]);
    });
  });

  it('frozen trains the output stage alone, exactly', async () => {
    await expectNoLeak(async () => {
      const batch = vectors();
      const params = localLearning<Tree, Batch>(relu, { inputShape: [6] }).model.init(key(5));
      const exact = gradientsOf(relu, { inputShape: [6], method: 'exact' }, params, batch);
      const frozen = gradientsOf(relu, { inputShape: [6], method: 'frozen' }, params, batch);
      for (const [path, g] of Object.entries(frozen.byPath)) {
        const expected = path.startsWith('model.2') ? exact.byPath[path]! : new Float32Array(g.size);
        await expectClose(g, expected, 1e-6);
      }
      treeDispose([batch, params, exact.tree, frozen.tree]);
    });
  });

  it('gives the same bits for the same key, and leaves nothing behind when it throws', async () => {
    await expectNoLeak(async () => {
      const batch = vectors();
      const local = localLearning<Tree, Batch>(relu, { inputShape: [6] });
      const params = local.model.init(key(5));
      const [a, b] = [
        gradientsOf(relu, { inputShape: [6] }, params, batch),
        gradientsOf(relu, { inputShape: [6] }, params, batch),
      ];
      expect(await bitsOf(a.tree)).toEqual(await bitsOf(b.tree));
      const other = (): tf.Tensor1D => tf.zeros([12]);
      expect(() => local.estimator(other, params, batch, key(1))).toThrow(/takes the loss that came with it/);
      treeDispose([a.tree, b.tree, params, batch]);
      const pooled = sequential([
        wrap(conv2d(1, 2, 3), { after: [activation('relu'), maxPool2d(2)] }),
        wrap(dense(18, 3), { before: [flatten()] }),
      ]) as unknown as Staged;
      const imageBatch = images();
      const bad = localLearning<Tree, Batch>(pooled, { inputShape: [8, 8, 1] });
      const badParams = bad.model.init(key(1));
      expect(() => bad.estimator(bad.loss, badParams, imageBatch, key(1))).toThrow(
        /Stage '0' turns 360 numbers.*into 90/,
      );
      treeDispose([imageBatch, badParams]);
    });
    expect(() => localLearning(relu, { inputShape: [6], groupSize: 0 })).toThrow(/groupSize must be an integer/);
    expect(() => localLearning(relu, { inputShape: [6], method: 'best' as never })).toThrow(/one of greedy, exact/);
    expect(() => localLearning(mlp([3, 2]) as unknown as Staged, { inputShape: [3] })).toThrow(/at least two stages/);
  });

  it('learns regression with train, without a tape', async () => {
    const registered = backend === 'cpu' ? 250 : 120;
    const model = mlp([3, 24, 24, 1]) as unknown as Staged;
    const local = localLearning<Tree, Batch>(model, { inputShape: [3], loss: squaredErrorLoss, groupSize: 4 });
    const batches = Array.from({ length: registered }, (_, i) => {
      const x = randomNormal(foldIn(key(7), i), [32, 3]);
      const y = tf.tidy(() => tf.sum(tf.abs(x), 1, true));
      return { x, y };
    });
    const losses: number[] = [];
    async function* stream(): AsyncGenerator<Batch> {
      yield* batches;
    }
    const run = train({
      model: local.model as never,
      data: stream() as never,
      loss: local.loss as never,
      estimator: local.estimator,
      optimizer: adam(1e-2, { epsilon: 1e-8 }),
      key: key(8),
      epochs: 1,
    });
    for await (const event of run.events)
      if (event.type === 'step' && event.loss !== undefined) losses.push(event.loss);
    const { params, optimizer, state } = await run.result;
    treeDispose([params as Tree, optimizer, state]);
    const average = (part: number[]): number => part.reduce((sum, value) => sum + value, 0) / part.length;
    expect(average(losses.slice(-10))).toBeLessThan(0.15 * average(losses.slice(0, 5)));
  });
});

/** The first stage's output and the slope of its activation, from a stage moved by one everywhere before it. */
function slopeOf(model: Staged, params: Params, x: tf.Tensor): [tf.Tensor, tf.Tensor] {
  const h = model.stages[0]!.apply(params.model, x, { train: true });
  const isTanh = model === tanh;
  return [h, isTanh ? tf.sub(1, tf.square(h)) : tf.cast(tf.greater(h, 0), 'float32')];
}
