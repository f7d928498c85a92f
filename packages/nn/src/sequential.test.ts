import { type Context, createState, jvp, key, type Module, treeDispose, treeEntries } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak, normalTensor } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, expectTypeOf, it } from 'vitest';
import { relu, tanh } from './activations.ts';
import { batchNorm } from './batch-norm.ts';
import { dense } from './dense.ts';
import { dropout } from './dropout.ts';
import type { NoParams } from './params.ts';
import { residual } from './residual.ts';
import { sequential } from './sequential.ts';
import { applyStages } from './stages.ts';
import { wrap } from './wrap.ts';

const train = (seed: number): Context => ({ train: true, key: key(seed) });

describeEachBackend('sequential', () => {
  it('has the tree of its children, by name or by position, also in its type', async () => {
    await expectNoLeak(() => {
      const named = sequential({ fc1: dense(2, 3), act: relu(), fc2: dense(3, 1, { bias: false }) });
      const params = named.init(key(1));
      expectTypeOf(params.fc1.bias).toEqualTypeOf<tf.Tensor1D>();
      expectTypeOf(params.fc2).toEqualTypeOf<{ readonly weight: tf.Tensor2D }>();
      expectTypeOf(params.act).toEqualTypeOf<NoParams>();
      expect(treeEntries(params).map(([path]) => path)).toEqual(['fc1.weight', 'fc1.bias', 'fc2.weight']);
      const listed = sequential([dense(2, 3), relu(), dense(3, 1)]).init(key(1));
      expectTypeOf(listed[2].weight).toEqualTypeOf<tf.Tensor2D>();
      expect(treeEntries(listed).map(([path]) => path)).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
      expect(named.stages.map(({ name }) => name)).toEqual(['fc1', 'act', 'fc2']);
      treeDispose([params, listed]);
    });
  });

  it('refuses names that would break paths or order', () => {
    for (const name of ['1', 'a.b', '']) {
      expect(() => sequential({ [name]: relu() })).toThrow(/is no usable name/);
    }
  });

  it('equals the fold of its stages, in training too, and stretches of it', async () => {
    await expectNoLeak(async () => {
      const model = sequential([dense(4, 6), batchNorm(6), dropout(0.5), relu(), dense(6, 2)]);
      const [params, x] = [model.init(key(1)), normalTensor(2, [5, 4])];
      const whole = model.apply(params, x, train(3));
      const folded = tf.tidy(() => model.stages.reduce((h, stage) => stage.apply(params, h, train(3)), x));
      const stretched = tf.tidy(() => {
        const middle = applyStages(model, params, x, { to: 3, ctx: train(3) });
        return applyStages(model, params, middle, { from: 3, ctx: train(3) });
      });
      await expectClose(folded, whole, 0);
      await expectClose(stretched, whole, 0);
      const nothing = applyStages(model, params, x, { from: 2, to: 2 });
      await expectClose(nothing, x, 0);
      expect(nothing).not.toBe(x);
      expect(() => applyStages(model, params, x, { from: 3, to: 2 })).toThrow(/0 ≤ from ≤ to ≤ 5, got 3 and 2/);
      treeDispose([params, x, whole, folded, stretched, nothing]);
    });
  });

  it('gives each dropout a key of its own, and equal keys equal results', async () => {
    await expectNoLeak(async () => {
      const model = sequential({ a: dropout(0.5), inner: sequential([dropout(0.5)]), b: dropout(0.5) });
      const x = tf.ones([1, 64]);
      const outputs: Record<string, tf.Tensor> = {};
      const taps = {
        set(path: string, output: tf.Tensor): void {
          outputs[path] = tf.keep(output.clone());
        },
      };
      const y = model.apply({ a: {}, inner: [{}], b: {} }, x, { ...train(1), taps });
      const again = model.apply({ a: {}, inner: [{}], b: {} }, x, train(1));
      const other = model.apply({ a: {}, inner: [{}], b: {} }, x, train(2));
      await expectClose(again, y, 0);
      expect(Array.from(await other.data())).not.toEqual(Array.from(await y.data()));
      expect(Object.keys(outputs)).toEqual(['a', 'inner.0', 'inner', 'b']);
      // One mask thrice would leave half of the values, three masks leave an eighth.
      const left = Array.from(await y.data()).filter((v) => v > 0).length;
      expect(left).toBeLessThan(20);
      treeDispose([x, y, again, other, outputs]);
    });
  });

  it('hands paths down, so that state and errors name the place', async () => {
    await expectNoLeak(() => {
      const model = sequential({ body: residual(sequential({ norm: batchNorm(3) })) });
      const [params, x, state] = [model.init(key(1)), normalTensor(2, [4, 3]), createState()];
      const y = model.apply(params, x, { train: true, state, path: 'net' });
      expect(state.entries().map(([path]) => path)).toEqual([
        'net.body.norm.running_mean',
        'net.body.norm.running_var',
      ]);
      expect(() => model.apply(params, x, { train: false })).toThrow(/'body\.norm' needs running statistics/);
      state.dispose();
      treeDispose([params, x, y]);
    });
  });

  const peak = (depth: number, run: (f: (x: tf.Tensor) => tf.Tensor, x: tf.Tensor) => unknown): number => {
    const width = 64;
    let [before, most] = [0, 0];
    const watch: Module<NoParams> = {
      init: () => ({}),
      apply: (_, h) => {
        most = Math.max(most, tf.memory().numBytes - before);
        return h.clone();
      },
    };
    const layer = () => wrap(dense(width, width), { after: [tanh(), watch] });
    const model = sequential(Array.from({ length: depth }, layer));
    const [params, x] = [model.init(key(1)), tf.ones([128, width])];
    before = tf.memory().numBytes;
    tf.dispose(run((h) => model.apply(params, h), x) as tf.TensorContainer);
    treeDispose([params, x]);
    return most;
  };

  it('needs the same memory whatever its depth', async () => {
    await expectNoLeak(() => {
      const [shallow, deep] = [3, 40].map((depth) => peak(depth, (f, x) => f(x)));
      expect(shallow).toBeGreaterThan(0);
      expect(deep).toBe(shallow);
    });
  });

  it('needs the same memory whatever its depth also in forward mode', async () => {
    await expectNoLeak(() => {
      const [shallow, deep] = [3, 40].map((depth) => peak(depth, (f, x) => jvp(f, [x], [x])));
      expect(shallow).toBeGreaterThan(0);
      expect(deep).toBe(shallow);
    });
  });

  it('frees what it made when a layer throws', async () => {
    await expectNoLeak(() => {
      const model = sequential([dense(2, 2), dense(3, 1)]);
      const [params, x] = [model.init(key(1)), tf.ones([1, 2])];
      expect(() => model.apply(params, x)).toThrow(/dense takes an input of shape/);
      treeDispose([params, x]);
    });
  });
});

describeEachBackend('residual', () => {
  it('adds the input, or the shortcut of the input', async () => {
    await expectNoLeak(async () => {
      const x = normalTensor(1, [2, 3]);
      const plain = residual(dense(3, 3));
      const params = plain.init(key(1));
      const y = plain.apply(params, x);
      const expected = tf.tidy(() => tf.add(x, dense(3, 3).apply(params, x)));
      await expectClose(y, expected, 1e-6);
      const changing = residual(dense(3, 5), { shortcut: dense(3, 5, { bias: false }) });
      const both = changing.init(key(2));
      expectTypeOf(both.shortcut).toEqualTypeOf<{ readonly weight: tf.Tensor2D }>();
      const z = changing.apply(both, x);
      const sum = tf.tidy(() =>
        tf.add(dense(3, 5).apply(both.body, x), tf.matMul(x as tf.Tensor2D, both.shortcut.weight)),
      );
      await expectClose(z, sum, 1e-6);
      const wrong = residual(dense(3, 5));
      const wrongParams = wrong.init(key(3));
      expect(() => wrong.apply(wrongParams, x)).toThrow(/residual adds \[2,5\] to \[2,3\]/);
      treeDispose([x, params, y, expected, both, z, sum, wrongParams]);
    });
  });
});

describeEachBackend('wrap', () => {
  it('keeps the tree and the path of the module, and never shares a key', async () => {
    await expectNoLeak(async () => {
      const module = wrap(sequential([dropout(0.5)]), { before: [dropout(0.5)], after: [dropout(0.5)] });
      const x = tf.ones([1, 2048]);
      const y = module.apply([{}], x, train(1));
      const left = Array.from(await y.data()).filter((v) => v > 0).length;
      expect(left).toBeLessThan(350);
      expect(left).toBeGreaterThan(170);
      treeDispose([x, y]);
    });
  });
});
