import { adamw, fromArrays, momentum, train } from '@frugal/core-trainer';
import { key, type Tree, treeDispose } from '@frugal/tensor';
import { bitsOf, describeEachBackend, expectNoLeak, noisyExamples, noisyNet } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { probe } from './advice/probe.ts';
import { criticalRate } from './probes/critical-rate.ts';
import { lineProbe } from './probes/line-probe.ts';
import { miniature } from './probes/miniature.ts';
import { newtonRate } from './probes/newton-rate.ts';
import { rangeTest } from './probes/range-test.ts';
import type { OptimizerFactory, OptimizerPosition, Problem } from './problem.ts';

const data = fromArrays(noisyExamples(160), { batchSize: 16 });
const optimizers: Record<string, OptimizerFactory> = { momentum, adamw };
type Net = Problem<ReturnType<typeof noisyNet.init>, { x: tf.Tensor; y: tf.Tensor }>;
type Probing = (problem: Net, optimizer: OptimizerFactory, position: OptimizerPosition) => Promise<unknown>;

/** Every probe; a failure of its search is an answer too. */
const probes: Record<string, Probing> = {
  'critical rate': (problem, optimizer) => criticalRate(problem, { optimizer, examples: 64 }),
  'critical rate in a run': (problem, optimizer, position) => criticalRate(problem, { optimizer, position }),
  'Newton rate': (problem, optimizer, position) => newtonRate(problem, { optimizer, position }).catch(String),
  'line probe': (problem, optimizer) => lineProbe(problem, { optimizer, rates: [-0.1, 0.1, 1] }),
  'range test': (problem, optimizer) => rangeTest(problem, { optimizer, steps: 25 }),
  'miniature runs': (problem, optimizer) =>
    miniature(problem, { optimizer, steps: 8, rates: [1e-3, 1e9], examples: 32 }),
  advice: (problem, optimizer) => probe(problem, { optimizer, steps: 100 }),
};

/** A run of 120 steps, in which somebody may probe after the twentieth: every loss, and everything there is at the end. */
async function story(factory: OptimizerFactory, probing?: Probing): Promise<unknown> {
  const losses: unknown[] = [];
  const run = train({
    ...{ model: noisyNet, loss: noisyNet.loss, data, optimizer: factory(0.01), key: key(1), steps: 120 },
    hooks: [
      {
        name: 'probe',
        async onEvent(event, { params }) {
          if (event.type !== 'step') return;
          losses.push([event.step, event.loss]);
          if (event.step !== 20 || probing === undefined) return;
          const state = { 'layer.mean': tf.fill([8], 0.25) };
          const slots = factory(0.01).init(params);
          const held = { params, state, slots } as unknown as Tree;
          const before = await bitsOf(held);
          const problem = { loss: noisyNet.loss, params, data, key: key(7), state } as unknown as Net;
          await expectNoLeak(() => probing(problem, factory, { state: slots, step: 20 }));
          expect(await bitsOf(held)).toEqual(before);
          tf.dispose([state, slots] as tf.TensorContainer);
        },
      },
    ],
  });
  const { params, optimizer, state } = await run.result;
  const end = await bitsOf({ params, optimizer, state } as unknown as Tree);
  tf.dispose([params, optimizer, state] as tf.TensorContainer);
  return { losses, end };
}

describeEachBackend('a probe leaves no trace', () => {
  it.each(Object.keys(optimizers))('the next 100 steps of %s are equal bit for bit', async (name) => {
    const factory = optimizers[name]!;
    const alone = await story(factory);
    for (const probing of Object.values(probes)) expect(await story(factory, probing)).toEqual(alone);
  });

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
