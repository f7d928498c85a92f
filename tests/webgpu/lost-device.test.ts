// A device that is lost while it trains: the run ends with a typed error and goes on from its checkpoint.
import { adamw, fromArrays, memoryStore, saveTo, type TrainOptions, train } from '@frugal/core-trainer';
import { type Event, key, treeDispose, useBackend } from '@frugal/tensor';
import {
  bitsOf,
  describeEachBackend,
  type NoisyBatch,
  type NoisyParams,
  noisyExamples,
  noisyNet,
} from '@frugal/test-support';
import { DeviceLostError } from '@frugal/webgpu';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { testWebgpu } from '../support/webgpu.ts';

function options(more: Partial<TrainOptions<NoisyParams, NoisyBatch>> = {}): TrainOptions<NoisyParams, NoisyBatch> {
  const data = fromArrays(noisyExamples(20), { batchSize: 8 });
  const common = { model: noisyNet, loss: noisyNet.loss, optimizer: adamw(0.01), data, key: key(5), epochs: 4 };
  return { ...common, ...more } as TrainOptions<NoisyParams, NoisyBatch>;
}

describeEachBackend('a lost device', () => {
  it('ends the run, which resumes to the same bits', async () => {
    const whole = await train(options()).result;
    const expected = await bitsOf(whole.params);
    const store = memoryStore();
    const checkpoint = saveTo(store, { everySteps: 2, resume: true });
    const destroyer = {
      name: 'destroyer',
      onEvent(event: Event): void {
        if (event.type === 'step' && event.step === 6) (tf.findBackend('webgpu') as WebGPUBackend).device.destroy();
      },
    };
    const broken = train(options({ checkpoint, hooks: [destroyer], readEvery: 1 }));
    await expect(broken.result).rejects.toBeInstanceOf(DeviceLostError);
    await useBackend(await testWebgpu());
    const resumed = await train(options({ checkpoint })).result;
    expect(resumed.steps).toBe(whole.steps);
    expect(await bitsOf(resumed.params)).toEqual(expected);
    treeDispose(resumed.params);
  });
});
