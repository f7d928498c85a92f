import { type Event, key, type RunResult, type Tree, treeDispose } from '@frugal/tensor';
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
import {
  adamw,
  type CheckpointStore,
  fromArrays,
  type Hook,
  loadCheckpoint,
  memoryStore,
  momentum,
  type SaveToOptions,
  saveTo,
  type TrainOptions,
  train,
} from '../index.ts';
import { kernelVariant } from './variant.ts';

const data = fromArrays(noisyExamples(20), { batchSize: 8 });

type Options = TrainOptions<NoisyParams, NoisyBatch>;

function options(store: CheckpointStore, more: Partial<Options> = {}, saving: SaveToOptions = {}): Options {
  return {
    model: noisyNet,
    loss: noisyNet.loss,
    optimizer: adamw((step) => 0.01 / (1 + step)),
    data,
    key: key(5),
    epochs: 4,
    ema: 0.9,
    async evaluate(params) {
      const norm = tf.norm(params.head.w);
      const [value] = await norm.data();
      norm.dispose();
      return { norm: value! };
    },
    checkpoint: saveTo(store, { everySteps: 2, everyEpochs: 1, resume: true, ...saving }),
    ...more,
  };
}

function free({ params, evaluationParams, optimizer, state }: RunResult): void {
  for (const tree of [params, evaluationParams ?? {}, optimizer, state]) treeDispose(tree as Tree);
}

/** Everything that a run leaves, as bits and numbers. */
async function outcome(result: RunResult): Promise<unknown> {
  const { params, evaluationParams, optimizer, state, ...rest } = result;
  const bits = await bitsOf({ params, evaluationParams: evaluationParams!, optimizer, state });
  free(result);
  return { bits, rest };
}

/** A hook with a memory of its own: counts steps, and sums the losses into a tensor. */
function counter(): Hook & { count: number } {
  let sum = tf.scalar(0);
  const hook = {
    name: 'counter',
    count: 0,
    onEvent(event: Event) {
      if (event.type !== 'step') return;
      hook.count++;
      const next = tf.tidy(() => tf.add(sum, event.loss!) as tf.Scalar);
      sum.dispose();
      sum = next;
    },
    save: () => ({ values: hook.count, tensors: { sum } }),
    load(saved: { values: unknown; tensors: Record<string, tf.Tensor> }) {
      hook.count = saved.values as number;
      sum.dispose();
      sum = saved.tensors.sum as tf.Scalar;
    },
    sum: async () => {
      const [value] = await sum.data();
      sum.dispose();
      return value;
    },
  };
  return hook;
}

describeEachBackend('resume', () => {
  it('equals the undisturbed run bit for bit, wherever it was interrupted', async () => {
    await expectNoLeak(async () => {
      const whole = counter() as ReturnType<typeof counter> & { sum(): Promise<number> };
      const expected = await outcome(await train(options(memoryStore(), { hooks: [whole] })).result);
      const sum = await whole.sum();
      for (const interruption of [1, 2, 3, 5, 6, 11]) {
        const store = memoryStore();
        const first = counter() as typeof whole;
        const run = train(options(store, { hooks: [first] }));
        for await (const event of run.events) if (event.type === 'step' && event.step === interruption) run.abort();
        free(await run.result);
        await first.sum();
        const second = counter() as typeof whole;
        expect(await outcome(await train(options(store, { hooks: [second] })).result), `at ${interruption}`).toEqual(
          expected,
        );
        expect([second.count, await second.sum()]).toEqual([12, sum]);
      }
    });
  });

  it('goes on from the last good checkpoint when newer ones are broken', async () => {
    await expectNoLeak(async () => {
      const store = memoryStore();
      const expected = await outcome(await train(options(memoryStore())).result);
      free(await train(options(store, { steps: 7 })).result);
      const names = (await store.list()).toSorted();
      expect(names).toHaveLength(2);
      const newest = await store.read(names[1]!);
      for (const at of [3, 100, newest.length - 1]) {
        const broken = newest.slice();
        broken[at]! ^= 4;
        await store.write(names[1]!, [broken]);
        const run = train(options(store, { steps: 0 }, { keep: 5 }));
        const notes: Event[] = [];
        for await (const event of run.events) notes.push(event);
        expect(notes).toContainEqual(
          expect.objectContaining({ type: 'note', message: expect.stringMatching(/broken/) }),
        );
        expect(notes[0]).toMatchObject({ type: 'start', resumedAt: 6 });
        free(await run.result);
      }
      await store.write(names[1]!, [newest.slice(0, newest.length / 2)]);
      expect(await outcome(await train(options(store)).result)).toEqual(expected);
    });
  });

  it('returns at once what is finished', async () => {
    const store = memoryStore();
    const first = await outcome(await train(options(store)).result);
    const loss = (): never => {
      throw new Error('nothing is left to do');
    };
    expect(await outcome(await train(options(store, { loss })).result)).toEqual(first);
  });

  it('refuses what does not fit, and says where', async () => {
    await expectNoLeak(async () => {
      const store = memoryStore();
      free(await train(options(store, { steps: 4 })).result);
      const wider = {
        ...noisyNet,
        init: (k: Parameters<typeof noisyNet.init>[0]) => ({ ...noisyNet.init(k), extra: { w: tf.zeros([2]) } }),
      };
      const cases: [Partial<Options>, RegExp][] = [
        [{ model: wider }, /step-0000000004.*'params.extra.w'.*missing/],
        [{ optimizer: momentum(0.1) }, /'opt\..*Use the model and the optimizer/],
        [{ key: key(6) }, /another key/],
        [{ data: fromArrays(noisyExamples(20), { batchSize: 4 }) }, /"batchSize":8.*"batchSize":4/],
        [{ data: () => data.batches({ key: key(0), epoch: 0 }) }, /async iterable.*asDataset/],
      ];
      for (const [more, message] of cases) {
        await expect(train(options(store, more)).result, String(message)).rejects.toThrow(message);
      }
      const { ema: _, ...withoutEma } = options(store);
      await expect(train(withoutEma).result).rejects.toThrow(/averaged parameters/);
      await expect(train(options(store, { checkpoint: saveTo(store) })).result).rejects.toThrow(
        /holds checkpoints up to step 4.*resume: true/,
      );
    });
  });

  it('says when other kernels go on than began', async () => {
    const store = memoryStore();
    free(await train(options(store, { steps: 2 })).result);
    const { info, ...loaded } = await loadCheckpoint(store);
    expect([info.backend, info.variant]).toEqual([tf.getBackend(), kernelVariant()]);
    treeDispose([loaded.params, loaded.ema!, loaded.state]);
    const backend = tf.backend() as { variant?: string };
    const { variant } = backend;
    backend.variant = 'another';
    const notes: string[] = [];
    const run = train(options(store, { steps: 3 }));
    for await (const event of run.events) if (event.type === 'note') notes.push(event.message);
    if (variant === undefined) delete backend.variant;
    else backend.variant = variant;
    free(await run.result);
    expect(notes).toEqual([expect.stringMatching(/another kernels-.*begun on .*last bits/)]);
  });

  it('starts over when told so, and removes the old ones when a new one is safe', async () => {
    const store = memoryStore();
    free(await train(options(store, { epochs: 3 })).result);
    free(await train(options(store, { steps: 2 }, { resume: false })).result);
    expect(await store.list()).toEqual(['step-0000000002.safetensors']);
  });

  it('keeps as many as asked, and tells where they are', async () => {
    const store = memoryStore();
    const run = train(options(store, {}, { keep: 3, everySteps: 1, resume: false }));
    const paths: string[] = [];
    for await (const event of run.events) if (event.type === 'checkpoint') paths.push(event.path);
    free(await run.result);
    expect((await store.list()).toSorted()).toEqual(paths.slice(-3).map((path) => path.slice('memory:'.length)));
    expect(paths).toHaveLength(12); // at the end of an epoch not twice
  });

  it('fails when a checkpoint cannot be written', async () => {
    await expectNoLeak(async () => {
      const store = { ...memoryStore(), write: () => Promise.reject(new Error('disk full')) };
      await expect(train(options(store)).result).rejects.toThrow('disk full');
    });
  });

  it('lets parameters be loaded for inference', async () => {
    await expectNoLeak(async () => {
      const store = memoryStore();
      const result = await train(options(store)).result;
      const like = noisyNet.init(key(0));
      for (const loaded of [await loadCheckpoint(store), await loadCheckpoint(store, { like })]) {
        expect(await bitsOf(loaded.params)).toEqual(await bitsOf(result.params));
        expect(await bitsOf(loaded.ema!)).toEqual(await bitsOf(result.evaluationParams!));
        expect(await bitsOf(loaded.state)).toEqual(await bitsOf(result.state));
        expect(loaded.info).toMatchObject({ step: 12, position: { epoch: 4, batch: 0 }, key: key(5) });
        treeDispose([loaded.params, loaded.ema!, loaded.state]);
      }
      await expect(loadCheckpoint(store, { like: { ...like, extra: like.head } as never })).rejects.toThrow(/extra.w/);
      await expect(loadCheckpoint(memoryStore())).rejects.toThrow(/no checkpoint/);
      treeDispose(like);
      free(result);
    });
  });
});
