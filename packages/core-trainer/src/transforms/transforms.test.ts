import { type GradientTransformation, type StructuredLeaf, type Tree, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { adam, momentum, sgd } from '../optimizers/index.ts';
import { linear } from '../schedules/index.ts';
import {
  accumulate,
  addDecayedWeights,
  applyUpdates,
  chain,
  clipAdaptively,
  clipByGlobalNorm,
  freeze,
  globalNorm,
  injectHyperparams,
  masked,
  matricesOnly,
  orthogonalize,
  partition,
  reduceOnPlateau,
  scale,
  scaleByLearningRate,
  takeStep,
  withAverage,
} from './index.ts';

/** A rank-one leaf u·vᵀ that counts how often it was made dense. */
function rankOne(
  u: number[],
  v: number[],
  factor = 1,
  count = { dense: 0 },
): StructuredLeaf & { count: { dense: number } } {
  const values = u.flatMap((a) => v.map((b) => factor * a * b));
  const shape: [number, number] = [u.length, v.length];
  return {
    kind: 'rankOne',
    shape,
    count,
    materialize: () => {
      count.dense++;
      return tf.tensor2d(values, shape);
    },
    scale: (more) => rankOne(u, v, factor * more, count),
    addTo: (target, more) => {
      const moved = tf.tidy(() =>
        tf.add(
          target,
          tf.tensor2d(
            values.map((x) => x * more),
            shape,
          ),
        ),
      );
      target.dispose();
      return moved;
    },
    dispose: () => undefined,
  };
}

/** The updates of one call; the state is thrown away. */
function once(transformation: GradientTransformation, grads: Tree, params: Tree, step = 0): Tree {
  const state = transformation.init(params);
  const [updates, next] = transformation.update(grads, state, params, { step });
  treeDispose([state, next]);
  return updates as Tree;
}

describeEachBackend('transforms', () => {
  it('keep structured leaves where every member takes them', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.ones([2, 2]), b: tf.ones([2]) };
      const grads = { w: rankOne([1, 2], [3, 4]), b: tf.ones([2]) };
      const [moved, state] = takeStep(chain(scale(2), sgd(0.1)), grads, [{}, [{}, {}]], params, { step: 0 });
      await expectClose(moved.w, [0.4, 0.2, -0.2, -0.6]);
      expect(grads.w.count.dense).toBe(0);
      const [updates, next] = chain(scale(2), sgd(0.1)).update(grads, [{}, [{}, {}]], moved, { step: 0 });
      const applied = applyUpdates(moved, updates);
      await expectClose(applied.w, [-0.2, -0.6, -1.4, -2.2]);
      expect(grads.w.count.dense).toBe(0);
      treeDispose([moved, state, next, applied, grads.b]);
      treeDispose(updates);
    });
  });

  it('materialise them once where one member does not', async () => {
    await expectNoLeak(async () => {
      for (const optimizer of [
        chain(clipByGlobalNorm(100), sgd(0.1)),
        momentum(0.1),
        sgd(0.1, { weightDecay: 1e-9 }),
      ]) {
        const params = { w: tf.ones([2, 2]) };
        const grads = { w: rankOne([1, 2], [3, 4]) };
        const [moved, state] = takeStep(optimizer, grads, optimizer.init(params), params, { step: 0 });
        await expectClose(moved.w, [0.7, 0.6, 0.4, 0.2]);
        expect(grads.w.count.dense).toBe(1);
        treeDispose([moved, state]);
      }
    });
  });

  it('clip: the norm that is left', async () => {
    await expectNoLeak(async () => {
      const grads = { a: tf.tensor1d([3, 0]), b: tf.scalar(4) };
      const short = once(clipByGlobalNorm(10), grads, grads);
      const long = once(clipByGlobalNorm(2.5), grads, grads) as typeof grads;
      const norm = globalNorm(short);
      await expectClose(norm, [5]);
      await expectClose(long.a, [1.5, 0]);
      treeDispose([grads, short, long, norm]);
      const bad = { a: tf.tensor1d([Number.NaN, 1]) };
      const still = once(clipByGlobalNorm(1), bad, bad) as typeof bad;
      expect((await still.a.data())[0]).toBeNaN();
      treeDispose([bad, still]);
    });
  });

  it('clip adaptively: by unit, against the weights', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.tensor2d([3, 0, 4, 0], [2, 2]), b: tf.tensor1d([0, 2]) };
      const grads = { w: tf.tensor2d([6, 3, 8, 4], [2, 2]), b: tf.tensor1d([0.1, 0]) };
      const clipped = once(clipAdaptively(0.1, { epsilon: 0.01 }), grads, params) as typeof grads;
      // The first column has weights of norm 5 and a gradient of norm 10, the second weights of 0 and a gradient of 5.
      await expectClose(clipped.w, [0.3, 0.0006, 0.4, 0.0008]);
      await expectClose(clipped.b, [0.1, 0]);
      treeDispose([params, grads, clipped]);
    });
  });

  it('mask: the others pass, or stay', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.ones([1, 2]), b: tf.ones([2]) };
      const grads = { w: tf.zeros([1, 2]), b: tf.ones([2]) };
      const decayed = once(masked(addDecayedWeights(0.5), matricesOnly), grads, params) as typeof grads;
      await expectClose(decayed.w, [0.5, 0.5]);
      await expectClose(decayed.b, [1, 1]);
      const frozen = once(masked(sgd(0.1), matricesOnly, { rest: 'freeze' }), grads, params) as typeof grads;
      await expectClose(frozen.b, [0, 0]);
      treeDispose([params, grads, decayed, frozen]);
    });
  });

  it('partition: each group by its own, states by label', async () => {
    await expectNoLeak(async () => {
      const optimizer = partition({ slow: momentum(0.1), still: freeze() }, (path) =>
        path === 'b' ? 'still' : 'slow',
      );
      const params = { w: tf.ones([1, 2]), b: tf.ones([2]) };
      const grads = { w: tf.ones([1, 2]), b: tf.ones([2]) };
      const start = optimizer.init(params);
      expect(Object.keys(start)).toEqual(['slow', 'still']);
      const [moved, state] = optimizer.step!(grads, start, params, { step: 0 });
      await expectClose(moved.w, [0.9, 0.9]);
      await expectClose(moved.b, [1, 1]);
      const odd = partition({ a: sgd(1) }, () => 'b');
      expect(() => odd.init(moved)).toThrow(/parameter 'w' is labelled 'b', but the parts are 'a'/);
      treeDispose([moved, state, grads]);
    });
  });

  it('accumulate: schedules inside count updates, not batches', () => {
    const rate = linear(1, 0, { steps: 4 });
    const optimizer = accumulate(sgd(rate), 3);
    expect([0, 2, 3, 6].map((step) => optimizer.hyperparams!(step).learningRate)).toEqual([1, 1, 0.75, 0.5]);
  });

  it('average: follows the parameters and is evaluated', async () => {
    await expectNoLeak(async () => {
      const optimizer = withAverage(sgd(1), { decay: 0.75 });
      let params = { w: tf.scalar(0) };
      let state = optimizer.init(params);
      const grads = { w: tf.scalar(-4) };
      for (let step = 0; step < 2; step++) [params, state] = takeStep(optimizer, grads, state, params, { step });
      const evaluated = optimizer.evaluationParams!(state, params);
      await expectClose(params.w, [8]);
      await expectClose(evaluated.w, [0.75 * (0.25 * 4) + 0.25 * 8]);
      treeDispose([params, state, grads, evaluated]);
    });
  });

  it('inject: any number follows a schedule, and is logged', async () => {
    await expectNoLeak(async () => {
      const optimizer = injectHyperparams(({ rate, beta }) => momentum(rate, { beta }), {
        rate: 1,
        beta: linear(0, 0.5, { steps: 1 }),
      });
      let params = { w: tf.scalar(0) };
      let state = optimizer.init(params);
      const grads = { w: tf.scalar(-1) };
      for (let step = 0; step < 3; step++) [params, state] = takeStep(optimizer, grads, state, params, { step });
      await expectClose(params.w, [1 + 1.5 + 1.75]);
      expect(optimizer.hyperparams!(1)).toEqual({ rate: 1, beta: 0.5 });
      treeDispose([params, state, grads]);
    });
  });

  it('hyperparameters of a chain have names of their own', () => {
    const optimizer = chain(scaleByLearningRate(2), adam(linear(1, 0, { steps: 10 })));
    expect(optimizer.hyperparams!(5)).toEqual({ learningRate: 2, learningRate1: 0.5 });
  });

  it('plateau: falls after patience, rests, never below the least', async () => {
    await expectNoLeak(async () => {
      const optimizer = chain(
        sgd(1),
        reduceOnPlateau({ factor: 0.5, patience: 2, cooldown: 1, least: 0.3, window: 2 }),
      );
      const [params, grads] = [{ w: tf.scalar(0) }, { w: tf.scalar(-1) }];
      let state = optimizer.init(params);
      const scales: number[] = [];
      for (let step = 0; step < 16; step++) {
        const loss = tf.scalar(step < 2 ? 2 : 1);
        const [updates, next] = optimizer.update(grads, state, params, { step, loss });
        treeDispose([state, loss]);
        state = next;
        scales.push((await (updates as typeof grads).w.data())[0]!);
        treeDispose(updates);
      }
      // Windows: 2, 1 (better), 1, 1 (flat: ½), rest, 1, 1 (flat: 0.3), rest.
      expect(scales.map((x) => Number(x.toFixed(3)))).toEqual([
        1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3,
      ]);
      expect(() => optimizer.update(grads, state, params, { step: 0 })).toThrow(/needs extra.loss/);
      treeDispose([state, grads, params]);
    });
  });

  it('orthogonalise: singular values near 1, in rows and columns', async () => {
    await expectNoLeak(async () => {
      for (const shape of [
        [4, 7],
        [7, 4],
      ] as [number, number][]) {
        const x = tf.tensor2d(
          Float32Array.from({ length: 28 }, (_, i) => Math.sin(3 * i * i + 1)),
          shape,
        );
        const y = orthogonalize(x);
        const tall = shape[0] > shape[1];
        const gram = tf.matMul(y, y, tall, !tall);
        const values = await gram.data();
        for (let i = 0; i < 4; i++) {
          expect(values[5 * i]).toBeGreaterThan(0.4);
          expect(values[5 * i]).toBeLessThan(1.5);
        }
        tf.dispose([x, y, gram]);
      }
    });
  });

  it('free what they made when a member throws', async () => {
    await expectNoLeak(() => {
      const params = { w: tf.ones([2, 2]) };
      const late = (step: number) => (step === 0 ? Number.NaN : 1);
      const optimizer = chain(clipByGlobalNorm(1), withAverage(momentum(1)), sgd(late));
      const state = optimizer.init(params);
      const grads = { w: rankOne([1, 2], [3, 4]) };
      expect(() => optimizer.update(grads, state, params, { step: 0 })).toThrow(/learningRate at step 0/);
      expect(() => optimizer.step!(grads, state, params, { step: 0 })).toThrow(/learningRate at step 0/);
      treeDispose([params, state]);
    });
  });

  it('say what they miss', () => {
    const params = { w: tf.scalar(0) };
    expect(() => sgd(1).step!(params, [{}, {}], params, {} as never)).toThrow(/extra.step must be .* got undefined/);
    expect(() => chain(sgd(1), sgd(1)).update(params, {} as never, params, { step: 0 })).toThrow(/an array of as many/);
    expect(() => adam(Number.NaN)).toThrow(/learningRate must be a finite number, got NaN/);
    expect(() => adam(1, { beta1: 1 })).toThrow(/beta1 must be .* < 1, got 1/);
    expect(() => clipByGlobalNorm(0)).toThrow(/limit must be .* > 0/);
    expect(() => accumulate(sgd(1), 0)).toThrow(/every must be .* ≥ 1/);
    params.w.dispose();
  });
});
