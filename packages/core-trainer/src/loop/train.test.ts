import {
  createMeter,
  createState,
  type Event,
  foldIn,
  key,
  type RunResult,
  split,
  type Tree,
  treeDispose,
} from '@frugal/tensor';
import {
  bitsOf,
  describeEachBackend,
  expectNoLeak,
  type NoisyBatch,
  type NoisyParams,
  noisyExamples,
  noisyNet,
} from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { adamw, backprop, fromArrays, sgd, type TrainOptions, takeStep, train } from '../index.ts';

const data = fromArrays(noisyExamples(20), { batchSize: 8 });

function options(more: Partial<TrainOptions<NoisyParams, NoisyBatch>> = {}): TrainOptions<NoisyParams, NoisyBatch> {
  return { model: noisyNet, loss: noisyNet.loss, optimizer: adamw(0.01), data, key: key(5), ...more };
}

function free({ params, evaluationParams, optimizer, state }: RunResult): void {
  for (const tree of [params, evaluationParams ?? {}, optimizer, state]) treeDispose(tree as Tree);
}

async function collect(events: AsyncIterable<Event>): Promise<Event[]> {
  const all: Event[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describeEachBackend('train', () => {
  it('equals the loop that one would write by hand, bit for bit', async () => {
    await expectNoLeak(async () => {
      const result = await train(options({ epochs: 2 })).result;

      const [init, dataKey, steps] = split(key(5), 4) as [never, never, never];
      const optimizer = adamw(0.01);
      let params = noisyNet.init(init);
      let slots: Tree = optimizer.init(params);
      const state = createState();
      let step = 0;
      for (const epoch of [0, 1]) {
        for await (const batch of data.batches({ key: dataKey, epoch })) {
          const [gradientKey, updateKey] = [foldIn(steps, 2 * step), foldIn(steps, 2 * step + 1)];
          const { loss, grads } = backprop()(noisyNet.loss, params, batch, gradientKey, { train: true, state });
          [params, slots] = takeStep(optimizer, grads, slots as never, params, { step, loss, key: updateKey });
          tf.dispose([loss, grads, batch] as tf.TensorContainer);
          step++;
        }
      }
      expect(result).toMatchObject({ steps: 6, epochs: 2, reason: 'finished' });
      expect(await bitsOf(result.params)).toEqual(await bitsOf(params));
      expect(await bitsOf(result.optimizer)).toEqual(await bitsOf(slots));
      expect(await bitsOf(result.state)).toEqual(await bitsOf(Object.fromEntries(state.entries())));
      treeDispose([params, slots]);
      state.dispose();
      free(result);
    });
  });

  it('learns', async () => {
    const plain = options({ epochs: 30, optimizer: adamw(0.03) });
    const result = await train({ ...plain, loss: (p, b) => noisyNet.loss(p, b, { train: false }) }).result;
    expect(result.metrics.loss).toBeLessThan(0.02);
    free(result);
  });

  it('tells what happens, in order', async () => {
    const run = train(options({ epochs: 2, evaluate: () => ({ score: 7 }) }));
    expect(run).not.toHaveProperty('then');
    const events = await collect(run.events);
    expect(events.map(({ type }) => type)).toEqual([
      'start',
      ...['step', 'step', 'step', 'epoch', 'evaluation'],
      ...['step', 'step', 'step', 'epoch', 'evaluation'],
      'end',
    ]);
    expect(events[0]).toMatchObject({ totalSteps: 6, parameters: 4 * 8 + 8 + 8, resumedAt: 0 });
    const steps = events.filter((event) => event.type === 'step');
    expect(steps.map(({ step, epoch, examples }) => [step, epoch, examples])).toEqual([
      ...[
        [1, 0, 8],
        [2, 0, 8],
        [3, 0, 4],
      ],
      ...[
        [4, 1, 8],
        [5, 1, 8],
        [6, 1, 4],
      ],
    ]);
    expect(steps[0]!.metrics).toEqual({ learningRate: 0.01 });
    // The loss of an epoch is the mean over its examples, not over its batches.
    const first = steps.slice(0, 3).reduce((sum, { loss, examples }) => sum + loss! * examples, 0) / 20;
    expect(events.find(({ type }) => type === 'epoch')).toMatchObject({ epoch: 0, step: 3, loss: first });
    expect(events.at(-1)).toMatchObject({ reason: 'finished', step: 6, epoch: 2, metrics: { score: 7 } });
    const times = events.map(({ time }) => time);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    free(await run.result);
  });

  it('reads several losses at a time without changing anything', async () => {
    await expectNoLeak(async () => {
      const runs = [1, 4, 100].map((readEvery) => train(options({ epochs: 3, readEvery })));
      const [one, ...others] = await Promise.all(
        runs.map(async ({ events, result }) => {
          const steps = (await collect(events)).filter(({ type }) => type === 'step' || type === 'epoch');
          const done = await result;
          const bits = await bitsOf([done.params, done.optimizer, done.state]);
          free(done);
          return { bits, steps: steps.map((event) => ({ ...event, time: 0 })) };
        }),
      );
      for (const other of others) expect(other).toEqual(one);
    });
  });

  it('ends after steps, wherever that is in an epoch', async () => {
    const result = await train(options({ steps: 4 })).result;
    expect(result).toMatchObject({ steps: 4, epochs: 1 });
    free(result);
    const both = await train(options({ steps: 100, epochs: 1 })).result;
    expect(both).toMatchObject({ steps: 3, epochs: 1 });
    free(both);
  });

  it('can be aborted, by hand and by signal', async () => {
    await expectNoLeak(async () => {
      const run = train(options({ epochs: 1000 }));
      for await (const event of run.events) if (event.type === 'step' && event.step === 5) run.abort('enough');
      const result = await run.result;
      expect(result.reason).toBe('aborted');
      expect(result.steps).toBeGreaterThanOrEqual(5);
      expect(result.steps).toBeLessThan(10);
      free(result);
      const aborted = await train(options({ epochs: 1, signal: AbortSignal.abort() })).result;
      expect(aborted).toMatchObject({ steps: 0, reason: 'aborted' });
      free(aborted);
    });
  });

  it('averages parameters, evaluates and returns the averages', async () => {
    await expectNoLeak(async () => {
      const seen: Record<string, number[]>[] = [];
      const result = await train(
        options({ epochs: 1, ema: 0.5, evaluate: async (p) => ({ n: seen.push(await bitsOf(p)) }) }),
      ).result;
      const plain = await train(options({ epochs: 1 })).result;
      expect(await bitsOf(result.params)).toEqual(await bitsOf(plain.params));
      expect(await bitsOf(result.optimizer)).toEqual(await bitsOf(plain.optimizer));
      expect(seen).toEqual([await bitsOf(result.evaluationParams!)]);
      expect(seen[0]).not.toEqual(await bitsOf(result.params));
      free(result);
      free(plain);
    });
  });

  it('leaves the thread to others now and then', async () => {
    const run = train(options({ steps: 60, yieldEvery: 1 }));
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    free(await run.result);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  });

  it('tells what the steps cost', async () => {
    await expectNoLeak(async () => {
      const meter = createMeter({ watts: 36 });
      const run = train(options({ epochs: 1, meter }));
      const events = await collect(run.events);
      const result = await run.result;
      const { flops, energy } = meter.read();
      const cost = { flops, wattHours: energy.wattHours };
      expect(flops).toBeGreaterThan(3 * 2 * 20 * (4 * 8 + 8)); // forward and twice backward, 20 examples
      expect(events.find(({ type }) => type === 'epoch')).toMatchObject({ metrics: { flops } });
      expect(result.metrics).toMatchObject(cost);
      expect(result.metrics.seconds).toBeGreaterThan(0);
      free(result);
    });
  });

  it('starts from given parameters and state, and leaves them alone', async () => {
    await expectNoLeak(async () => {
      const params = noisyNet.init(key(1));
      const state = { 'layer.mean': tf.ones([8]) };
      const before = await bitsOf([params, state]);
      const result = await train(options({ epochs: 1, params, state })).result;
      expect(await bitsOf([params, state])).toEqual(before);
      expect(await bitsOf(result.params)).not.toEqual(await bitsOf(params));
      treeDispose([params, state]);
      free(result);
    });
  });

  it('trains on streams of batches', async () => {
    await expectNoLeak(async () => {
      const open = (epoch: number): AsyncIterable<NoisyBatch> => data.batches({ key: split(key(5), 4)[1]!, epoch });
      const streamed = await train(options({ epochs: 2, data: open })).result;
      const plain = await train(options({ epochs: 2 })).result;
      expect(await bitsOf(streamed.params)).toEqual(await bitsOf(plain.params));
      free(streamed);
      free(plain);
      const once = open(0);
      await expect(train(options({ epochs: 2, data: once })).result).rejects.toThrow(/no batches in epoch 1/);
    });
  });

  it('fails loudly and leaves nothing behind', async () => {
    await expectNoLeak(async () => {
      for (const readEvery of [1, 2]) {
        let calls = 0;
        const loss: typeof noisyNet.loss = (...args) => {
          if (++calls === 4) throw new Error('out of luck');
          return noisyNet.loss(...args);
        };
        const run = train(options({ epochs: 2, loss, readEvery }));
        await expect(collect(run.events)).rejects.toThrow('out of luck');
        await expect(run.result).rejects.toThrow('out of luck');
      }
    });
  });

  it('notes the failure of a listener and goes on', async () => {
    const broken = async (events: AsyncIterable<Event>): Promise<void> => {
      for await (const event of events) if (event.type === 'step') throw new Error('disk full');
    };
    const run = train(options({ epochs: 1, listeners: [broken] }));
    const notes = (await collect(run.events)).filter(({ type }) => type === 'note');
    expect(notes).toMatchObject([{ message: expect.stringContaining('disk full') }]);
    free(await run.result);
  });

  it('refuses bad options before anything happens', () => {
    expect(() => train(options())).toThrow(/needs epochs or steps/);
    expect(() => train(options({ steps: 0.5 }))).toThrow(/steps must be.*0.5/);
    expect(() => train(options({ steps: 1, readEvery: 2, guards: { nonFinite: 'skip' } }))).toThrow(/skip/);
    const hook = { name: 'a', onEvent: () => undefined };
    expect(() => train(options({ steps: 1, hooks: [hook, hook] }))).toThrow(/two are called 'a'/);
    expect(() => train(options({ steps: 1, optimizer: sgd(Number.NaN) }))).toThrow();
  });
});
