import { fromArrays, momentum } from '@frugal/core-trainer';
import { key, type Tree } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak, noisyExamples, noisyNet } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { everyProbe, type Net, onBatches } from './fixtures/every-probe.ts';
import type { ProbeEvent } from './problem.ts';

const data = fromArrays(noisyExamples(160), { batchSize: 16 });

describeEachBackend('a probe', () => {
  it.each(Object.values(everyProbe).flatMap((group) => Object.entries(group)))(
    'tells what it does, and ends where the signal says, with nothing left behind: %s',
    async (name, look) => {
      const params = noisyNet.init(key(4));
      const batches: Tree[] = [];
      for await (const batch of data.batches({ key: key(8), epoch: 0 })) batches.push(batch as never);
      const given = name in onBatches ? batches : data;
      const state = { 'layer.mean': tf.fill([8], 0.25) };
      const problem = { loss: noisyNet.loss, params, data: given, key: key(7), state } as unknown as Net;
      const position = { state: momentum(0.1).init(params as never) as Tree, step: 3 };
      const told: ProbeEvent[] = [];
      const whole = look(problem, momentum, { position, onEvent: (event) => told.push(event) });
      await whole.catch(() => undefined);
      expect(told.length).toBeGreaterThan(1);
      for (const { done, total } of told) expect(done).toBeLessThanOrEqual(total ?? done);
      // In the middle, and by a signal that is aborted before.
      for (const at of [0, Math.max(1, Math.floor(told.length / 2))]) {
        await expectNoLeak(async () => {
          const controller = new AbortController();
          let seen = 0;
          if (at === 0) controller.abort(new Error('enough'));
          const onEvent = (): void => {
            if (++seen === at) controller.abort(new Error('enough'));
          };
          await expect(look(problem, momentum, { position, onEvent, signal: controller.signal })).rejects.toThrow(
            'enough',
          );
          expect(seen).toBe(at);
        });
      }
      tf.dispose([params, batches, state, position.state] as tf.TensorContainer);
    },
  );
});
