import type { Meter } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { costMetrics } from '../loop/report.ts';
import { FitCallback } from './callback.ts';
import { optimizerOf } from './schedule.ts';

/**
 * Counts what the training steps of `fit` cost: forward, backward and update, not the data and the validation.
 *
 * The cost of each epoch goes into its logs, and so into `history`: flops, bytes, peakBytes, seconds, wattHours, gramsCO2.
 * Totals stay in the meter.
 *
 *     const meter = createMeter();
 *     await model.fit(x, y, { callbacks: [meterFit(model, meter)] });
 *     console.log(formatCost(meter.read()));
 */
export function meterFit(model: tfl.LayersModel, meter: Meter): FitCallback {
  let optimizer: tf.Optimizer | undefined;
  let before = costMetrics(meter.read());
  return new FitCallback({
    trainBegin() {
      optimizer = optimizerOf(model);
      const minimize = optimizer.minimize.bind(optimizer);
      // An own property hides the method until the end.
      optimizer.minimize = (...args) => meter.run(() => minimize(...args));
      before = costMetrics(meter.read());
    },
    epochEnd(_epoch, logs) {
      const now = costMetrics(meter.read());
      for (const [name, value] of Object.entries(now))
        logs[name] = name === 'peakBytes' ? value : value - before[name]!;
      before = now;
    },
    trainEnd() {
      if (optimizer !== undefined) delete (optimizer as Partial<tf.Optimizer>).minimize;
      optimizer = undefined;
    },
  });
}
