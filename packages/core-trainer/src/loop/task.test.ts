import { type Context, createState, key, type Tree, treeDispose } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { adam, classification, evaluate, fromArrays, lossFunction, softmaxCrossEntropy, train } from '../index.ts';

type Params = { w: tf.Tensor2D };

/** Logits x · w, and a word in the state, to see who may write there. */
const model = {
  init: (): Params => ({ w: tf.zeros([2, 3]) }),
  apply({ w }: Params, x: tf.Tensor, { train, state }: Context = { train: false }): tf.Tensor {
    state?.set('calls', tf.scalar(train ? 1 : -1));
    return tf.matMul(x as tf.Tensor2D, w);
  },
};

const points = [
  [2, 0],
  [3, 1],
  [0, 2],
  [1, 3],
  [-2, -2],
  [-3, -2],
  [-2, -3],
];
const data = fromArrays({ x: points, y: { values: Int32Array.of(0, 0, 1, 1, 2, 2, 2) } }, { batchSize: 3 });
const options = { model, optimizer: adam(0.1), data, key: key(1), epochs: 5 };

describeEachBackend('objectives in the loop', () => {
  it('train and are evaluated as a loss made by hand', async () => {
    await expectNoLeak(async () => {
      const run = train({ ...options, objective: classification(), evaluate: data });
      const evaluations: Record<string, number>[] = [];
      for await (const event of run.events) if (event.type === 'evaluation') evaluations.push(event.metrics);
      const result = await run.result;
      const byHand = await train({ ...options, loss: lossFunction(model, softmaxCrossEntropy) }).result;
      expect(await bitsOf(result.params)).toEqual(await bitsOf(byHand.params));

      expect(evaluations).toHaveLength(5);
      expect(evaluations.map(({ loss }) => loss)).toEqual(
        evaluations
          .map(({ loss }) => loss)
          .toSorted()
          .reverse(),
      );
      expect(result.metrics).toMatchObject({ accuracy: 1 });
      // An evaluation may use the state, but leaves no trace in it.
      expect((await result.state.calls!.data())[0]).toBe(1);
      for (const { params, optimizer, state } of [result, byHand]) treeDispose([params, optimizer, state] as Tree);
    });
  });

  it('evaluate: means over examples, whatever the batches', async () => {
    await expectNoLeak(async () => {
      const params = { w: tf.tensor2d([1, 0, -1, 0, 1, -1], [2, 3]) };
      const task = { model, objective: classification(), params };
      const all = fromArrays({ x: points, y: { values: Int32Array.of(0, 0, 1, 1, 2, 2, 0) } }, { batchSize: 7 });
      const some = fromArrays({ x: points, y: { values: Int32Array.of(0, 0, 1, 1, 2, 2, 0) } }, { batchSize: 3 });
      const state = createState();
      const [one, three] = [await evaluate({ ...task, data: all, state }), await evaluate({ ...task, data: some })];
      expect(one.accuracy).toBeCloseTo(6 / 7, 6);
      expect(three.accuracy).toBeCloseTo(6 / 7, 6);
      expect(three.loss).toBeCloseTo(one.loss!, 5);
      // Logits of [x₁, x₂] are [x₁, x₂, −x₁−x₂].
      const expected = points.map(([a, b], i) => {
        const logits = [a!, b!, -a! - b!];
        return Math.log(logits.reduce((sum, z) => sum + Math.exp(z), 0)) - logits[[0, 0, 1, 1, 2, 2, 0][i]!]!;
      });
      expect(one.loss).toBeCloseTo(expected.reduce((a, b) => a + b) / 7, 5);
      state.dispose();
      params.w.dispose();
    });
  });

  it('frees what an objective drops, also when it throws', async () => {
    await expectNoLeak(async () => {
      const picky = {
        ...classification(),
        examples: ({ x, y }: { x: tf.Tensor; y: tf.Tensor }) => {
          if (x.shape[0] === 1) throw new Error('too small');
          return { x: tf.add(x, 0), y };
        },
      };
      await expect(train({ ...options, objective: picky }).result).rejects.toThrow('too small');
    });
  });

  it('refuses a task that says too little or too much', () => {
    const wrong = train as (options: unknown) => unknown;
    expect(() => wrong(options)).toThrow(/loss or an objective, and got neither/);
    expect(() => wrong({ ...options, loss: () => 0, objective: classification() })).toThrow(/got both/);
    expect(() => wrong({ ...options, model: { init: model.init }, objective: classification() })).toThrow(/apply/);
  });
});
