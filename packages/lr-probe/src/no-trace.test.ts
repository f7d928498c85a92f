import { adamw, fromArrays, momentum, train } from '@frugal/core-trainer';
import { key, type Module, randomNormal, type Tree, treeDispose } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak, noisyExamples, noisyNet } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { probe } from './advice/probe.ts';
import { spectralDensity } from './curvature/density.ts';
import { topEigenpairs } from './curvature/lanczos.ts';
import { empiricalFisher, hessian } from './curvature/operators.ts';
import { batchSharpness, sharpness } from './curvature/sharpness.ts';
import { hutchinsonTrace, hutchPlusPlusTrace } from './curvature/trace.ts';
import { gradientCovariance, noiseScale } from './noise/noise-scale.ts';
import { criticalRate } from './probes/critical-rate.ts';
import { lineProbe } from './probes/line-probe.ts';
import { miniature } from './probes/miniature.ts';
import { newtonRate } from './probes/newton-rate.ts';
import { rangeTest } from './probes/range-test.ts';
import type { OptimizerFactory, OptimizerPosition, Problem } from './problem.ts';
import type { Tracker } from './trackers/hook.ts';
import { trackProbe } from './trackers/probes.ts';
import { trackRepresentations } from './trackers/representations.ts';
import { trackSharpness } from './trackers/sharpness.ts';
import { trackWeights } from './trackers/weights.ts';
import { catapultWarmup } from './warmup/catapult.ts';

const data = fromArrays(noisyExamples(160), { batchSize: 16 });
const optimizers: Record<string, OptimizerFactory> = { momentum, adamw };
type NoisyParams = ReturnType<typeof noisyNet.init>;
type Net = Problem<NoisyParams, { x: tf.Tensor; y: tf.Tensor }>;
type Probing = (problem: Net, optimizer: OptimizerFactory, position: OptimizerPosition) => Promise<unknown>;

/** A trace, a density or a top eigenpair of a matrix that is made of the first batch. */
const onMatrix =
  (make: typeof hessian): Probing =>
  async ({ loss, params, data: given }) => {
    const [batch] = given as never[];
    const operator = make(loss as never, params, [batch]);
    tf.dispose((await topEigenpairs(operator, { key: key(3), limit: 12 })).vectors as tf.Tensor[]);
    await hutchinsonTrace(operator, { key: key(4), products: 4 });
    await hutchPlusPlusTrace(operator, { key: key(4), products: 9 });
    await spectralDensity(operator, { key: key(5), steps: 6, starts: 1 });
    operator.dispose();
  };

/** Every probe; a failure of its search is an answer too. Each group is one story. */
const groups: Record<string, Record<string, Probing>> = {
  rates: {
    'critical rate': (problem, optimizer) => criticalRate(problem, { optimizer, examples: 64 }),
    'critical rate in a run': (problem, optimizer, position) => criticalRate(problem, { optimizer, position }),
    'Newton rate': (problem, optimizer, position) => newtonRate(problem, { optimizer, position }).catch(String),
    'line probe': (problem, optimizer) => lineProbe(problem, { optimizer, rates: [-0.1, 0.1, 1] }),
    'range test': (problem, optimizer) => rangeTest(problem, { optimizer, steps: 25 }),
    'catapult warm-up': (problem, optimizer) => catapultWarmup(problem, { optimizer, target: 0.1, steps: 20 }),
  },
  advice: {
    'miniature runs': (problem, optimizer) =>
      miniature(problem, { optimizer, steps: 8, rates: [1e-3, 1e9], examples: 32 }),
    advice: (problem, optimizer) => probe(problem, { optimizer, steps: 100 }),
  },
  curvature: {
    sharpness: async (problem) => tf.dispose((await sharpness(problem, { examples: 32 })).vectors as tf.Tensor[]),
    'batch sharpness': (problem) => batchSharpness(problem, { batches: 3 }),
    Hessian: onMatrix(hessian),
    'empirical Fisher': onMatrix(empiricalFisher),
  },
  noise: {
    'noise scale': (problem) => noiseScale(problem, { batches: 5 }).catch(String),
    'covariance of gradients': (problem) => gradientCovariance(problem, { batches: 5 }),
  },
};

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
            const given = name === 'Hessian' || name === 'empirical Fisher' ? await batchesOf(4) : data;
            const held = { params, state, slots, batches: given === data ? [] : given } as unknown as Tree;
            const before = await bitsOf(held);
            const problem = { loss: noisyNet.loss, params, data: given, key: key(7), state } as unknown as Net;
            await expectNoLeak(() => look(problem, factory, { state: slots, step: 20 }));
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
const reader: Pick<Module<NoisyParams>, 'apply'> = {
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
      for (const [group, probing] of Object.entries(groups))
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
