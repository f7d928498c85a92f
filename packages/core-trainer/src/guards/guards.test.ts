import { type Event, key, type LossFunction, type RunResult, type Tree, treeDispose } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { fromArrays, memoryStore, NonFiniteError, saveTo, sgd, type TrainOptions, train } from '../index.ts';
import { findCulprit, nonFinitePaths, sumOf } from './index.ts';

type Params = { a: tf.Tensor; deep: { w: tf.Tensor } };
type Batch = { x: tf.Tensor };

const model = { init: (): Params => ({ a: tf.ones([1]), deep: { w: tf.ones([1]) } }) };
const inOrder = (x: number[]): TrainOptions<Params, Batch>['data'] =>
  fromArrays({ x }, { batchSize: 1, shuffle: false });

/** Finite for x > 0. At x = 0 the loss is finite and its gradient is not; below 0 the logarithm is NaN. */
const rootAndLog: LossFunction<Params, Batch> = ({ a, deep }, { x }, { state }) => {
  state?.set('seen', tf.clone(x));
  const root = tf.mul(tf.sqrt(tf.mul(tf.square(a), x)), deep.w);
  return tf.add(root, tf.mul(0.1, tf.log(tf.add(x, 1)))) as tf.Tensor1D;
};

function free({ params, optimizer, state }: RunResult): void {
  for (const tree of [params, optimizer, state]) treeDispose(tree as Tree);
}

async function outcome(x: number[], more: Partial<TrainOptions<Params, Batch>>) {
  const run = train({
    model,
    loss: rootAndLog,
    optimizer: sgd(0.01),
    data: inOrder(x),
    key: key(0),
    epochs: 1,
    ...more,
  });
  const events: Event[] = [];
  try {
    for await (const event of run.events) events.push(event);
  } catch {
    // seen in the result
  }
  return {
    events,
    result: await run.result.then(
      (value) => value,
      (error: NonFiniteError) => error,
    ),
  };
}

const anomalies = (events: readonly Event[]): Event[] => events.filter(({ type }) => type === 'anomaly');

describeEachBackend('guards', () => {
  it('stops, and names the step and the kernel that made a bad loss', async () => {
    await expectNoLeak(async () => {
      for (const readEvery of [1, 2, 10]) {
        const { result, events } = await outcome([1, 2, -2, 3], { readEvery });
        expect(result).toBeInstanceOf(NonFiniteError);
        const { finding, message } = result as NonFiniteError;
        expect(finding).toMatchObject({ step: 3, loss: Number.NaN, parameters: [] });
        expect(finding.culprit).toMatchObject({ kernel: 'Sqrt', made: 'NaN' });
        expect(message).toMatch(/loss at step 3 is NaN.*'a'.*kernel 'Sqrt'/);
        expect(anomalies(events)).toMatchObject([{ step: 3, action: 'stop' }]);
        expect(events.filter(({ type }) => type === 'step')).toHaveLength(2);
      }
    });
  });

  it('names the parameter and the kernel of a bad gradient', async () => {
    await expectNoLeak(async () => {
      for (const readEvery of [1, 3]) {
        const { result } = await outcome([1, 0, 2], { readEvery, guards: { gradients: true } });
        const { finding } = result as NonFiniteError;
        expect(finding).toMatchObject({ step: 2, gradients: ['a'], parameters: [] });
        expect(finding.loss).toBe(0);
        expect(finding.culprit).toMatchObject({ kernel: 'Multiply', made: 'NaN', overflow: 'RealDiv' });
      }
    });
  });

  it('says so where an unwatched gradient had spoilt a parameter', async () => {
    const { result } = await outcome([1, 0, 2], {});
    expect((result as NonFiniteError).finding).toMatchObject({ step: 3, parameters: ['a'] });
    expect((result as Error).message).toMatch(/'a' had been spoilt before.*gradients: true/);
    // With several losses read at a time the steps are gone through again, so the gradient itself is found.
    const later = await outcome([1, 0, 2], { readEvery: 3 });
    expect((later.result as NonFiniteError).finding).toMatchObject({ step: 2, gradients: ['a'], parameters: [] });
  });

  it('skips a batch as if it had not been there', async () => {
    await expectNoLeak(async () => {
      const { result, events } = await outcome([1, -2, 0, 2, 3], { guards: { nonFinite: 'skip' } });
      const { result: without } = await outcome([1, 2, 3], {});
      expect(anomalies(events)).toMatchObject([
        { step: 2, action: 'skip' },
        { step: 2, action: 'skip' },
      ]);
      const [run, plain] = [result as RunResult, without as RunResult];
      expect(run.steps).toBe(3);
      expect(await bitsOf([run.params, run.state])).toEqual(await bitsOf([plain.params, plain.state]));
      free(run);
      free(plain);
      const bad = await outcome([1, -1.5, -1.5, -1.5], { guards: { nonFinite: 'skip', limit: 2 } });
      expect(anomalies(bad.events).map((event) => event.type === 'anomaly' && event.action)).toEqual([
        'skip',
        'skip',
        'stop',
      ]);
      expect((bad.result as Error).message).toMatch(/3 times.*limit is 2/);
    });
  });

  it('rolls back to a snapshot and goes on with the next batch', async () => {
    await expectNoLeak(async () => {
      for (const readEvery of [1, 2]) {
        const store = memoryStore();
        const checkpoint = saveTo(store, { everySteps: 1, keep: 9 });
        const guards = { nonFinite: 'rollback', snapshotEvery: 2 } as const;
        const { result, events } = await outcome([1, 2, 3, -2, 4], { readEvery, guards, checkpoint });
        // Snapshot after two steps; the third is undone; then x = 4.
        const { result: without } = await outcome([1, 2, 4], {});
        expect(anomalies(events)).toMatchObject([{ step: 4, action: 'rollback' }]);
        const [run, plain] = [result as RunResult, without as RunResult];
        expect(run.steps).toBe(3);
        expect(await bitsOf(run.params)).toEqual(await bitsOf(plain.params));
        expect((await store.list()).toSorted().at(-1)).toMatch(/0003/);
        free(run);
        free(plain);
      }
      const bad = await outcome([1, -2, -2], { guards: { nonFinite: 'rollback', limit: 1 } });
      expect(bad.result).toBeInstanceOf(NonFiniteError);
    });
  });

  it('ignores when told so', async () => {
    const { result, events } = await outcome([1, -2, 1], { guards: { nonFinite: 'ignore' } });
    expect(anomalies(events)).toEqual([]);
    expect((result as RunResult).metrics.loss).toBeNaN();
    free(result as RunResult);
  });
});

describeEachBackend('findCulprit', () => {
  const culprit = (f: () => tf.Tensor) =>
    findCulprit(
      () => tf.tidy(f),
      (y) => y.dispose(),
    );

  it('names the kernel that made the first NaN, and where its infinities came from', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 100]);
      const huge = await culprit(() => tf.div(tf.exp(x), tf.sum(tf.exp(x))));
      expect(huge).toMatchObject({ kernel: 'RealDiv', made: 'NaN', overflow: 'Exp' });
      expect(await culprit(() => tf.add(tf.exp(x), 1))).toMatchObject({ kernel: 'Exp', made: 'infinity' });
      expect(await culprit(() => tf.tanh(x))).toBeUndefined();
      // A mask of infinities is nobody's fault, what makes NaN of it is.
      const masked = await culprit(() => tf.tidy(() => tf.mul(tf.fill([2], Number.NEGATIVE_INFINITY), tf.sub(x, x))));
      expect(masked).toMatchObject({ kernel: 'Multiply', made: 'NaN' });
      x.dispose();
    });
  });

  it('tells finite trees from others', async () => {
    await expectNoLeak(async () => {
      const tree = {
        a: tf.tensor1d([3e38, 3e38]),
        b: { c: tf.tensor1d([1, Number.NaN]) },
        d: tf.tensor1d([-Infinity]),
      };
      expect(await nonFinitePaths(tree)).toEqual(['b.c', 'd']);
      const sum = sumOf(tree);
      expect(Number.isFinite((await sum.data())[0])).toBe(false);
      treeDispose(tree);
      sum.dispose();
    });
  });
});
