import { dense, mlp } from '@frugal/nn';
import { jvp, key, treeDispose, treeEntries, valueAndGrad } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { examples, smallModel } from './fixture.ts';
import { exitLoss, exitPhases, pickExits, plainHead, stopGradient, withExits } from './index.ts';

const squared = (logits: tf.Tensor, y: tf.Tensor): tf.Tensor1D => tf.sum(tf.squaredDifference(logits, y), 1);

describeEachBackend('withExits', () => {
  it('answers at every exit, the last one being the backbone', async () => {
    await expectNoLeak(async () => {
      const model = smallModel();
      const params = model.init(key(1));
      const x = examples(5);
      const outputs = model.outputs(params, x);
      const whole = model.apply(params, x);
      expect(outputs.map(({ shape }) => shape)).toEqual(Array.from({ length: 4 }, () => [5, 3]));
      await expectClose(outputs[3]!, whole, 0);
      treeDispose([params, outputs, whole, x]);
    });
  });

  it('corrects the exit before with a boosted head, and shows it to a cascaded one', async () => {
    await expectNoLeak(async () => {
      const model = smallModel();
      const params = model.init(key(2));
      const x = examples(4);
      const h = [model.segment(params, 0, x)];
      h.push(model.segment(params, 1, h[0]!));
      const first = model.answer(params, 0, h[0]!);
      const cascaded = model.answer(params, 1, h[1]!, first);
      const joined = tf.concat([h[1]!, first], 1);
      const direct = dense(19, 3).apply(params.heads[1] as never, joined);
      await expectClose(cascaded, direct, 1e-6);
      h.push(model.segment(params, 2, h[1]!));
      const boosted = model.answer(params, 2, h[2]!, cascaded);
      const own = dense(16, 3).apply(params.heads[2] as never, h[2]!);
      const sum = tf.add(cascaded, own);
      await expectClose(boosted, sum, 1e-6);
      treeDispose([params, h, first, cascaded, joined, direct, boosted, own, sum, x]);
    });
  });

  it('does without exits that nobody needs', async () => {
    const model = smallModel();
    const params = model.init(key(1));
    const some = pickExits(model, params, [0, 1]);
    expect(some.model.points).toEqual([0, 1, 4]);
    expect(some.params.heads).toEqual(params.heads.slice(0, 2));
    // The second head looks at the first.
    expect(() => pickExits(model, params, [1])).toThrow(/got \[1\]/);
    expect(() => pickExits(model, params, [3])).toThrow(/below 3/);
    treeDispose(params);
  });

  it('refuses points that fall or lie outside', () => {
    const exit = (at: number) => ({ at, head: plainHead(dense(6, 3)) });
    const backbone = mlp([6, 4, 3]);
    expect(() => withExits(backbone, [exit(1), exit(0)])).toThrow(/\[1,0\]/);
    expect(() => withExits(backbone, [exit(2)])).toThrow(/\[0, 2\), got \[2\]/);
  });
});

describeEachBackend('exitLoss', () => {
  const gradients = async (regime: 'joint' | 'backbone' | 'disjoint'): Promise<Record<string, number>> => {
    const model = smallModel();
    const params = model.init(key(3));
    const batch = { x: examples(4), y: tf.ones([4, 3]) };
    const loss = exitLoss(model, squared, { regime, weights: [1, 1, 1, 2], distill: regime === 'joint' ? 0.5 : 0 });
    const [value, grads] = valueAndGrad((p: typeof params) => tf.mean(loss(p, batch, { train: true })))(params);
    const sizes: Record<string, number> = {};
    for (const [path, leaf] of treeEntries(grads)) {
      const size = tf.tidy(() => tf.sum(tf.abs(leaf)));
      sizes[path] = (await size.data())[0]!;
      size.dispose();
    }
    treeDispose([params, batch, value, grads]);
    return sizes;
  };

  it('teaches what its regime says', async () => {
    await expectNoLeak(async () => {
      const joint = await gradients('joint');
      expect(Object.values(joint).every((size) => size > 0)).toBe(true);
      const backbone = await gradients('backbone');
      const disjoint = await gradients('disjoint');
      for (const path of Object.keys(joint)) {
        const head = path.startsWith('heads');
        expect(backbone[path]! > 0, `backbone: ${path}`).toBe(!head);
        expect(disjoint[path]! > 0, `disjoint: ${path}`).toBe(head);
      }
    });
  });

  it('averages over the exits behind a layer where gradients are rescaled', async () => {
    await expectNoLeak(async () => {
      // Layers without a bend, exits that are the layer itself: the gradient at layer i is a sum over the exits behind it.
      const backbone = mlp([2, 2, 2, 2], { activation: 'linear' });
      const own = () => plainHead({ init: () => ({}), apply: (_: object, h: tf.Tensor) => h.clone() });
      const model = withExits(backbone, [
        { at: 1, head: own() },
        { at: 2, head: own() },
      ]);
      const params = model.init(key(1));
      const batch = { x: tf.ones([1, 2]), y: tf.zeros([1, 2]) };
      const sum = (logits: tf.Tensor): tf.Tensor1D => tf.sum(logits, 1);
      const of = (options: object, weights: number[]) => {
        const loss = exitLoss(model, sum, { ...options, weights });
        const [value, grads] = valueAndGrad((p: typeof params) => tf.mean(loss(p, batch, { train: true })))(params);
        value.dispose();
        return grads.backbone as unknown as readonly { weight: tf.Tensor }[];
      };
      const scaled = of({ rescaled: true }, [1, 1, 1]);
      const plain = of({}, [1, 1, 1]);
      for (const [layer, behind] of [3, 2, 1].entries()) {
        const mean = tf.div(plain[layer]!.weight, behind);
        await expectClose(scaled[layer]!.weight, mean, 1e-6);
        mean.dispose();
      }
      treeDispose([params, batch, scaled, plain]);
    });
  });

  it('stops tangents of forward mode, too', async () => {
    await expectNoLeak(async () => {
      const [x, dx] = [tf.tensor1d([1, 2]), tf.tensor1d([3, 4])];
      const [y, dy] = jvp((a: tf.Tensor) => tf.add(tf.mul(a, 2), stopGradient(tf.square(a))), [x], [dx]);
      await expectClose(dy as tf.Tensor, [6, 8], 0);
      treeDispose([x, dx, y, dy] as tf.Tensor[]);
    });
  });

  it('goes through the phases of a regime, by default of mixed training', async () => {
    await expectNoLeak(async () => {
      const model = smallModel();
      const phases = (options: object) =>
        exitPhases(model, squared, { weights: [1, 1, 1, 2], ...options }).map(({ name, share }) => [name, share]);
      const mixed = [
        ['backbone', 0.5],
        ['joint', 0.5],
      ];
      expect(phases({})).toEqual(mixed);
      expect(phases({ regime: 'joint' })).toEqual([['joint', 1]]);
      expect(phases({ regime: 'disjoint', backbone: 0.75 })).toEqual([
        ['backbone', 0.75],
        ['disjoint', 0.25],
      ]);
      const params = model.init(key(3));
      const batch = { x: examples(4), y: tf.ones([4, 3]) };
      for (const { name, loss } of exitPhases(model, squared, { weights: [1, 1, 1, 2] })) {
        const [ours, plain] = [loss, exitLoss(model, squared, { regime: name, weights: [1, 1, 1, 2] })].map((f) =>
          f(params, batch, { train: true }),
        );
        await expectClose(ours!, plain!, 0);
        treeDispose([ours!, plain!]);
      }
      treeDispose([params, batch]);
    });
    expect(() => exitPhases(smallModel(), squared, { backbone: 1 })).toThrow(/between 0 and 1, got 1/);
  });

  it('refuses a wrong number of weights', () => {
    expect(() => exitLoss(smallModel(), squared, { weights: [1] })).toThrow(/4, got 1/);
  });
});
