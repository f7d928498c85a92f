import type { Event } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { checkNumber } from '../arguments.ts';
import { EventChannel } from '../loop/channel.ts';
import type { Listener } from '../loop/index.ts';
import { defaultReadEvery } from '../loop/variant.ts';
import { FitCallback, numbersOf } from './callback.ts';
import { LayersOptimizer } from './optimizer.ts';
import { optimizerOf } from './schedule.ts';

/** Options of `listenToFit`. */
export interface ListenOptions {
  /** Batches from one loss that is read to the next; a read waits for the device. Default 1 on cpu, wasm and tensorflow, else 10. */
  readEvery?: number;
}

/** An event without its time. */
type Untimed = Event extends infer E ? (E extends Event ? Omit<E, 'time'> : never) : never;

/**
 * Tells the listeners of `train` (progress bar, JSONL, TensorBoard, …) what happens in a `fit`.
 *
 *     await model.fit(x, y, { callbacks: [listenToFit(model, [progressBar()])], verbose: 0 });
 *
 * Put it after `meterFit`, so that its epochs have the cost.
 */
export function listenToFit(
  model: tfl.LayersModel,
  listeners: readonly Listener[],
  { readEvery = defaultReadEvery() }: ListenOptions = {},
): FitCallback {
  checkNumber('readEvery', readEvery, { min: 1, integer: true });
  let channel = new EventChannel();
  let listening: Promise<unknown> = Promise.resolve();
  let started = 0;
  let current = 0;
  let last: Record<string, number> = {};
  const step = (): number => optimizerOf(model).iterations;
  const emit = (event: Untimed): void => channel.push({ ...event, time: performance.now() - started } as Event);

  const callback = new FitCallback({
    trainBegin() {
      channel = new EventChannel();
      started = performance.now();
      listening = Promise.all(listeners.map((listener) => listener(channel.subscribe(true))));
      listening.catch(() => undefined); // thrown at the end
      emit({
        type: 'start',
        totalSteps: totalSteps(callback, step()),
        parameters: model.countParams(),
        backend: tf.getBackend(),
        resumedAt: step(),
      });
    },
    epochBegin(epoch) {
      current = epoch;
    },
    async batchEnd(batch, logs) {
      if ((batch + 1) % readEvery !== 0) return;
      const { loss, ...metrics } = await numbersOf(logs, ['batch', 'size']);
      const examples = logs.size as number;
      emit({
        type: 'step',
        step: step(),
        epoch: current,
        loss,
        examples,
        metrics: { ...rates(model, step()), ...metrics },
      });
    },
    async epochEnd(epoch, logs) {
      const { loss = Number.NaN, ...metrics } = await numbersOf(logs);
      last = { loss, ...metrics };
      const validation = Object.entries(metrics).filter(([name]) => name.startsWith('val_'));
      const own = Object.entries(metrics).filter(([name]) => !name.startsWith('val_'));
      emit({ type: 'epoch', epoch, step: step(), loss, metrics: Object.fromEntries(own) });
      if (validation.length === 0) return;
      const measured = Object.fromEntries(validation.map(([name, value]) => [name.slice('val_'.length), value]));
      emit({ type: 'evaluation', epoch, step: step(), metrics: measured });
    },
    async trainEnd() {
      const reason = model.stopTraining ? 'stopped' : 'finished';
      emit({ type: 'end', step: step(), epoch: current + 1, reason, metrics: last });
      channel.close();
      await listening;
    },
  });
  return callback;
}

/** The updates that there will have been at the end, where `fit` lets us know. */
function totalSteps({ fitParams = {} }: FitCallback, done: number): number | undefined {
  const { epochs, initialEpoch = 0, samples, batchSize, steps } = fitParams;
  const each = steps ?? (samples && batchSize ? Math.ceil(samples / batchSize) : undefined);
  return epochs === undefined || each === undefined ? undefined : done + (epochs - initialEpoch) * each;
}

/** The hyperparameters of the step just made, for an optimizer of ours. */
function rates(model: tfl.LayersModel, step: number): Readonly<Record<string, number>> {
  const optimizer = optimizerOf(model);
  return LayersOptimizer.is(optimizer) ? optimizer.hyperparams(Math.max(0, step - 1)) : {};
}
