import type { Event } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { Tracker } from '../trackers/hook.ts';
import type { ModuleOfModel } from './fit.ts';

/** The callback of `trackFit`; bound methods, for `fit` takes some callbacks apart. */
export class TrackFit extends tfl.Callback {
  constructor(module: ModuleOfModel, trackers: readonly Tracker[]) {
    super();
    let [step, epoch] = [0, 0];
    this.onEpochBegin = async (index) => {
      epoch = index;
    };
    this.onBatchEnd = async (_, logs) => {
      step++;
      const { loss, size } = (logs ?? {}) as { loss?: number | tf.Scalar; size?: number };
      const { learningRate } = module.model.optimizer as tf.Optimizer & { learningRate?: unknown };
      const event: Event = {
        type: 'step',
        ...{ time: performance.now(), step, epoch, examples: size ?? 0 },
        loss: typeof loss === 'object' ? (await loss.data())[0] : loss,
        metrics: typeof learningRate === 'number' ? { learningRate } : {},
      };
      for (const tracker of trackers) await tracker.onEvent(event, { step, params: module.weights() });
    };
  }
}

/**
 * Trackers along a `fit`: sharpness, weights, representations, any probe, as along a run of core-trainer.
 *
 *     const module = fromLayersModel(model);
 *     const sharp = trackSharpness(layersProblem(module, { x, y, loss, key: key(1) }), { every: 20 });
 *     await model.fit(x, y, { callbacks: [trackFit(module, [sharp])] });
 *
 * Steps are counted over all fits of this callback. Trackers that want the rate find it where the optimizer keeps it as a number, as
 * tfjs's own do; pass `rate` to them otherwise.
 */
export function trackFit(module: ModuleOfModel, trackers: readonly Tracker[]): TrackFit {
  return new TrackFit(module, trackers);
}
