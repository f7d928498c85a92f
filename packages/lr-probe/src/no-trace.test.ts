import { adamw, fromArrays, momentum, train } from '@frugal/core-trainer';
import { key, type Module, randomNormal, type Tree, treeDispose } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak, noisyExamples, noisyNet } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { ProbeError } from './errors.ts';
import { everyProbe, type Net, onBatches, type Probing } from './fixtures/every-probe.ts';
import { noiseScale } from './noise/noise-scale.ts';
import { criticalRate } from './probes/critical-rate.ts';
import type { OptimizerFactory } from './problem.ts';
import type { Tracker } from './trackers/hook.ts';
import { trackProbe } from './trackers/probes.ts';
import { trackRepresentations } from './trackers/representations.ts';
import { trackSharpness } from './trackers/sharpness.ts';
import { trackWeights } from './trackers/weights.ts';

const data = fromArrays(noisyExamples(160), { batchSize: 16 });
const optimizers: Record<string, OptimizerFactory> = { momentum, adamw };

/** A run of 120 steps, in which somebody may probe after the twentieth: every loss, and everything there is at the end. */
async function story(factory: OptimizerFactory, probing: Record<string, Probing> = {}, hooks: Tracker[] = []) {
  const losses: unknown[] = [];
  const run = train({
    ...{ model: noisyNet, loss: noisyNet.loss, data, optimizer: factory(0.01), key: key(1), steps: 120 },
    hooks: [
      ...(hooks as never[]),
      {
        name: 'probe',
        async onEvent(event, { params }) {
          if (event.type !== 'step') return;
          losses.push([event.step, event.loss]);
          if (event.step !== 20) return;
          for (const [name, look] of Object.entries(probing)) {
            const state = { 'layer.mean': tf.fill([8], 0.25) };
            const slots = factory(0.01).init(params);
            // Some probes are handed batches instead of a dataset: those stay as they are too.
            const given = name in onBatches ? await batchesOf(4) : data;
            const held = { params, state, slots, batches: given === data ? [] : given } as unknown as Tree;
            const before = await bitsOf(held);
            const problem = { loss: noisyNet.loss, params, data: given, key: key(7), state } as unknown as Net;
            const position = { state: slots, step: 20 };
            await expectNoLeak(async () => {
              // A failed search leaves no trace either.
              await look(problem, factory, { position }).catch((error: unknown) => {
                if (!(error instanceof ProbeError)) throw error;
              });
            });
            expect(await bitsOf(held), name).toEqual(before);
            expect(problem.key, name).toEqual(key(7));
            tf.dispose([state, slots, given === data ? [] : given] as tf.TensorContainer);
          }
        },
      },
    ],
  });
  const { params, optimizer, state } = await run.result;
  const end = await bitsOf({ params, optimizer, state } as unknown as Tree);
  tf.dispose([params, optimizer, state] as tf.TensorContainer);
  return { losses, end };
}

/** The layers of `noisyNet`, without its noise. */
const reader: Pick<Module<Net['params']>, 'apply'> = {
  apply({ layer, head }, x, ctx) {
    const hidden = tf.tanh(tf.add(tf.matMul(x as tf.Tensor2D, layer.w as tf.Tensor2D), layer.b));
    const output = tf.matMul(hidden as tf.Tensor2D, head.w as tf.Tensor2D);
    ctx?.taps?.set('hidden', hidden);
    ctx?.taps?.set('output', output);
    return output;
  },
};

async function batchesOf(count: number): Promise<Tree[]> {
  const batches: Tree[] = [];
  for await (const batch of data.batches({ key: key(8), epoch: 0 })) {
    if (batches.length === count) tf.dispose(batch as never);
    else batches.push(batch as never);
  }
  return batches;
}

describeEachBackend('a probe leaves no trace', () => {
  it.each(Object.keys(optimizers))(
    'the next 100 steps of %s are equal bit for bit',
    async (name) => {
      const factory = optimizers[name]!;
      const alone = await story(factory);
      for (const [group, probing] of Object.entries(everyProbe))
        expect(await story(factory, probing), group).toEqual(alone);
    },
    240_000,
  );

  it('nor does a tracker that looks every few steps', async () => {
    const inputs = randomNormal(key(5), [12, 4]);
    const problem = { loss: noisyNet.loss, data, key: key(7) } as never;
    const trackers = [
      trackSharpness(problem, { every: 30 }),
      trackWeights({ every: 7 }),
      trackProbe(problem, (here) => noiseScale(here as never, { batches: 3 }), { every: 40, name: 'noise' }),
      trackRepresentations(reader, { inputs, every: 30 }),
    ] as const;
    expect(await story(adamw, {}, [...trackers])).toEqual(await story(adamw));
    expect(trackers.map(({ points }) => points.length)).toEqual([4, 18, 3, 8]);
    for (const tracker of trackers) if ('dispose' in tracker) tracker.dispose();
    inputs.dispose();
  }, 240_000);

  it('and probing twice gives the same', async () => {
    const params = noisyNet.init(key(4));
    const problem = { loss: noisyNet.loss, params, data, key: key(7) } as unknown as Net;
    const [a, b] = [
      await criticalRate(problem, { optimizer: adamw }),
      await criticalRate(problem, { optimizer: adamw }),
    ];
    expect(b.points).toEqual(a.points);
    treeDispose(params as unknown as Tree);
  });
});
