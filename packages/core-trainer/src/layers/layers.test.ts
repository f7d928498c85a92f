import {
  createMeter,
  type Event,
  type GradientTransformation,
  type Tree,
  treeDispose,
  valueAndGrad,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { CheckpointError, memoryStore } from '../checkpoint/index.ts';
import { adamw, momentum, prodigy, scheduleFreeAdamw, sgd } from '../optimizers/index.ts';
import { cosine, linear } from '../schedules/index.ts';
import {
  chain,
  clipByGlobalNorm,
  freeze,
  matricesOnly,
  partition,
  takeStep,
  withAverage,
} from '../transforms/index.ts';
import {
  listenToFit,
  meterFit,
  resumeFit,
  saveCheckpoints,
  scheduleLearningRate,
  toLayersOptimizer,
  withEvaluationWeights,
} from './index.ts';

const numbers = (size: number, phase: number) =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(3 * i * i + phase));
const data = () => ({ x: tf.tensor2d(numbers(40, 1), [10, 4]), y: tf.tensor2d(numbers(20, 2), [10, 2]) });
const start = () => [numbers(12, 3), new Float32Array(3), numbers(6, 4), new Float32Array(2)];

/** Two dense layers with the same weights each time. */
function network(optimizer: tf.Optimizer, { norm = false } = {}): tfl.LayersModel {
  const layers = [
    tfl.layers.dense({ units: 3, activation: 'tanh', inputShape: [4] }),
    ...(norm ? [tfl.layers.batchNormalization()] : []),
    tfl.layers.dense({ units: 2 }),
  ];
  const model = tfl.sequential({ layers });
  if (!norm) {
    const weights = start().map((values, i) => tf.tensor(values, [[4, 3], [3], [3, 2], [2]][i]));
    model.setWeights(weights);
    tf.dispose(weights);
  }
  model.compile({ optimizer, loss: 'meanSquaredError' });
  return model;
}

const fit = (model: tfl.LayersModel, { x, y }: ReturnType<typeof data>, more: tfl.ModelFitArgs = {}) =>
  model.fit(x, y, { epochs: 3, batchSize: 4, shuffle: false, verbose: 0, ...more });

const weights = async (model: tfl.LayersModel): Promise<number[]> =>
  (await Promise.all(model.getWeights().map(async (weight) => Array.from(await weight.data())))).flat();

function drop(model: tfl.LayersModel, { x, y }: ReturnType<typeof data>): void {
  model.optimizer.dispose();
  model.dispose();
  tf.dispose([x, y]);
}

/** What fit does, by hand: three epochs of batches of 4, 4 and 2. */
async function byHand(optimizer: GradientTransformation, { x, y }: ReturnType<typeof data>): Promise<number[]> {
  const [a, b, c, d] = start();
  let params = { a: tf.tensor2d(a!, [4, 3]), b: tf.tensor1d(b!), c: tf.tensor2d(c!, [3, 2]), d: tf.tensor1d(d!) };
  let state = optimizer.init(params);
  for (let step = 0; step < 9; step++) {
    const from = 4 * (step % 3);
    const [size, loss] = [
      Math.min(4, 10 - from),
      (p: typeof params) => {
        const hidden = tf.tanh(tf.add(tf.matMul(tf.slice(x, [from, 0], [size, 4]), p.a), p.b));
        return tf.mean(tf.square(tf.sub(tf.add(tf.matMul(hidden, p.c), p.d), tf.slice(y, [from, 0], [size, 2]))));
      },
    ];
    const [value, grads] = valueAndGrad(loss)(params);
    [params, state] = takeStep(optimizer, grads, state, params, { step, loss: value });
    treeDispose([value, grads]);
  }
  const values = await Promise.all(Object.values(params).map(async (leaf) => Array.from(await leaf.data())));
  treeDispose([params, state]);
  return values.flat();
}

const optimizers: Record<string, () => GradientTransformation> = {
  'adamw with a schedule and a mask': () =>
    adamw(cosine(0.1, { steps: 9, warmup: 2 }), { weightDecay: 0.1, mask: matricesOnly }),
  'clipped momentum': () => chain(clipByGlobalNorm(0.1), momentum(0.1)),
  prodigy: () => prodigy(1, { distance0: 0.01 }),
  'a frozen part': () => partition({ on: sgd(0.1), off: freeze() }, (_, p) => (p.rank > 1 ? 'on' : 'off')),
  averaged: () => withAverage(sgd(0.1), { decay: 0.5 }),
};

describeEachBackend('layers', () => {
  for (const [name, make] of Object.entries(optimizers)) {
    it(`fit with ${name} does what the steps do`, async () => {
      await expectNoLeak(async () => {
        const given = data();
        const model = network(toLayersOptimizer(make()));
        await fit(model, given, { epochs: 1 });
        const alive = tf.memory().numTensors;
        await fit(model, given, { epochs: 3, initialEpoch: 1 });
        expect(tf.memory().numTensors, 'tensors after more epochs').toBe(alive);
        await expectClose(await weights(model), await byHand(make(), given), 1e-5);
        drop(model, given);
      });
    });
  }

  it('evaluation weights: there for a while', async () => {
    await expectNoLeak(async () => {
      for (const make of [() => scheduleFreeAdamw(0.1), () => withAverage(sgd(0.1), { decay: 0.5 })]) {
        const given = data();
        const model = network(toLayersOptimizer(make()));
        await fit(model, given);
        const own = await weights(model);
        const shipped = await withEvaluationWeights(model, () => weights(model));
        expect(shipped).not.toEqual(own);
        expect(await weights(model)).toEqual(own);
        drop(model, given);
      }
    });
  });

  it('schedules reach the optimizers of tfjs', async () => {
    const schedule = linear(0.1, 0, { steps: 9 });
    const { sgd, momentum, adam, adamax, adagrad, rmsprop } = tf.train;
    for (const optimizer of [sgd(1), momentum(1, 0.9), adam(1), adamax(1), adagrad(1), rmsprop(1)]) {
      const given = data();
      const model = network(optimizer);
      const rates: number[] = [];
      const spy = {
        onBatchEnd: async () => void rates.push((optimizer as unknown as { learningRate: number }).learningRate),
      };
      for (let i = 0; i < 2; i++) {
        const callbacks = [scheduleLearningRate(model, schedule), new tfl.CustomCallback(spy)];
        await fit(model, given, { epochs: 1, callbacks });
      }
      expect(rates).toEqual([0, 1, 2, 3, 4, 5].map(schedule));
      drop(model, given);
    }
    const [given, model] = [data(), network(toLayersOptimizer(adamw(0.1)))];
    const callbacks = scheduleLearningRate(model, schedule);
    await expect(fit(model, given, { callbacks })).rejects.toThrow(/FrugalOptimizer has no learning rate to set/);
    drop(model, given);
  });

  it('a schedule moves the weights as the rate of each step would', async () => {
    const rates = [0.1, 0.02, 0.3];
    const [given, model] = [data(), network(tf.train.sgd(1))];
    await fit(model, given, { epochs: 1, callbacks: scheduleLearningRate(model, (step) => rates[step]!) });
    const [same, other] = [data(), network(toLayersOptimizer(sgd((step) => rates[step]!)))];
    await fit(other, same, { epochs: 1 });
    await expectClose(await weights(model), await weights(other), 1e-6);
    drop(model, given);
    drop(other, same);
  });

  for (const [name, make] of Object.entries({
    'adamw (ours)': () => toLayersOptimizer(adamw(0.05)),
    'averaged (ours)': () => toLayersOptimizer(withAverage(momentum(0.05))),
    'momentum (tfjs)': () => tf.train.momentum(0.05, 0.9),
  })) {
    it(`a fit resumed with ${name} ends at the same bits`, async () => {
      const given = data();
      const undisturbed = network(make(), { norm: true });
      const twin = network(make(), { norm: true });
      twin.setWeights(undisturbed.getWeights());
      await fit(undisturbed, given, { epochs: 5 });

      const store = memoryStore();
      await fit(twin, given, { epochs: 3, callbacks: saveCheckpoints(twin, store, { everyEpochs: 2 }) });
      expect((await store.list()).sort()).toEqual(['step-0000000006.safetensors', 'step-0000000009.safetensors']);

      const fresh = network(make(), { norm: true });
      const from = await resumeFit(fresh, store);
      expect(from).toEqual({ initialEpoch: 3 });
      expect(await weights(fresh)).toEqual(await weights(twin));
      await fit(fresh, given, { epochs: 5, ...from });
      expect(await weights(fresh)).toEqual(await weights(undisturbed));
      expect(fresh.optimizer.iterations).toBe(15);
      for (const model of [undisturbed, twin, fresh]) drop(model, given);
    });
  }

  it('resumes nothing from an empty store, and nothing that does not fit', async () => {
    const given = data();
    const store = memoryStore();
    const model = network(toLayersOptimizer(adamw(0.05)));
    const before = await weights(model);
    expect(await resumeFit(model, store)).toEqual({ initialEpoch: 0 });
    await fit(model, given, { epochs: 1, callbacks: saveCheckpoints(model, store) });

    const others: [tfl.LayersModel, RegExp][] = [
      [network(tf.train.sgd(0.1)), /was made with FrugalOptimizer, the model has SGD/],
      [network(toLayersOptimizer(adamw(0.05)), { norm: true }), /weights of the shapes \[4,3\].*the model \[4,3\]/],
      [network(toLayersOptimizer(sgd(0.05))), /state has none at 'the end', the loaded one float32 \[4,3\]/],
    ];
    for (const [other, message] of others) {
      const own = await weights(other);
      const alive = tf.memory().numTensors;
      await expect(resumeFit(other, store)).rejects.toThrow(message);
      expect(tf.memory().numTensors).toBe(alive);
      expect(await weights(other)).toEqual(own);
      drop(other, given);
    }
    expect(await weights(network(toLayersOptimizer(adamw(0.05))))).toEqual(before);
    const bare = tfl.sequential({ layers: [tfl.layers.dense({ units: 1, inputShape: [1] })] });
    await expect(resumeFit(bare, store)).rejects.toThrow(/Call model.compile before/);
    await expect(resumeFit(bare, store)).rejects.not.toBeInstanceOf(CheckpointError);
  });

  it('listeners hear of a fit, beside callbacks of both kinds', async () => {
    for (const first of [
      [tfl.callbacks.earlyStopping({ monitor: 'loss', patience: 5 })],
      [{ onEpochEnd: async () => undefined }],
    ]) {
      const given = data();
      const model = network(toLayersOptimizer(sgd(linear(1e-3, 0, { steps: 6 }))));
      const events: Event[] = [];
      const listen = listenToFit(model, [
        async (stream) => {
          for await (const event of stream) events.push(event);
        },
      ]);
      const callbacks = [...first, listen] as tfl.CustomCallbackArgs[];
      const history = await fit(model, given, { epochs: 2, callbacks, validationData: [given.x, given.y] });
      expect(events.map(({ type }) => type)).toEqual([
        'start',
        ...['step', 'step', 'step', 'epoch', 'evaluation'],
        ...['step', 'step', 'step', 'epoch', 'evaluation'],
        'end',
      ]);
      const [begin, one] = events as [Extract<Event, { type: 'start' }>, Extract<Event, { type: 'step' }>];
      expect(begin).toMatchObject({
        parameters: 23,
        resumedAt: 0,
        totalSteps: first[0] instanceof tfl.Callback ? 6 : undefined,
      });
      expect(one).toMatchObject({ step: 1, epoch: 0, examples: 4, metrics: { learningRate: 1e-3 } });
      expect(one.loss).toBeGreaterThan(0);
      expect(events.at(-1)).toMatchObject({ reason: 'finished', step: 6, epoch: 2 });
      expect(events.at(-1)).toHaveProperty('metrics.loss', history.history.loss![1]);
      drop(model, given);
    }
  });

  it('the meter counts the steps of each epoch', async () => {
    const given = data();
    const model = network(toLayersOptimizer(momentum(0.1)));
    const meter = createMeter();
    const callbacks = meterFit(model, meter);
    const { history } = await fit(model, given, { epochs: 2, callbacks, validationData: [given.x, given.y] });
    const { flops } = meter.read();
    // Forward and backward are three products, but for the gradient of the data.
    const products = 2 * 10 * (2 * 4 * 3 + 3 * 3 * 2);
    expect(history.flops![0]).toBeGreaterThan(products);
    expect(history.flops![1]).toBe(history.flops![0]);
    expect(flops).toBe(2 * (history.flops![0] as number));
    expect(Object.hasOwn(model.optimizer, 'minimize')).toBe(false);
    drop(model, given);
  });

  it('refuse what they cannot do, saying what to do', async () => {
    const given = data();
    const optimizer = toLayersOptimizer(adamw(0.1));
    const model = network(optimizer);
    await fit(model, given, { epochs: 1 });
    expect(() => optimizer.getConfig()).toThrow(/Leave 'includeOptimizer' out/);
    model.layers[0]!.trainable = false;
    model.compile({ optimizer, loss: 'meanSquaredError' });
    await expect(fit(model, given)).rejects.toThrow(/Make a new one for the other variables/);
    drop(model, given);
  });

  it('minimize works without layers, and without returning the cost', async () => {
    await expectNoLeak(async () => {
      const optimizer = toLayersOptimizer(adamw(0.1, { weightDecay: 0 }));
      const start = tf.tensor1d([1, -1]);
      const x = tf.variable(start);
      start.dispose();
      for (let i = 0; i < 100; i++) expect(optimizer.minimize(() => tf.sum(tf.square(x)) as tf.Scalar)).toBeNull();
      const cost = optimizer.minimize(() => tf.sum(tf.square(x)) as tf.Scalar, true, [x]);
      expect((await cost!.data())[0]).toBeLessThan(1e-3);
      treeDispose([cost, x] as Tree);
      optimizer.dispose();
    });
  });
});
