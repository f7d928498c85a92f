import type { Scalar, Tensor } from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { type ProbeOptions, probeActivations } from '../activations/probe.ts';
import type { ActivationReport } from '../activations/report.ts';

/** What a model's activations showed after an epoch; epoch −1 is before the first one. */
export interface ActivityOfEpoch {
  readonly epoch: number;
  readonly report: ActivationReport;
}

/** Options of `watchFit`. */
export interface WatchFitOptions extends ProbeOptions {
  /** Epochs from one look to the next. Default 1. */
  every?: number;
}

/** A callback of `fit` that follows the share of zeros among the activations of a model. */
export class ZerosCallback extends tfl.Callback {
  readonly #samples: ActivityOfEpoch[] = [];

  constructor(model: tfl.LayersModel, x: Tensor, { every = 1, ...probe }: WatchFitOptions) {
    super();
    const look = async (epoch: number): Promise<ActivationReport> => {
      const report = await probeActivations(() => model.predictOnBatch(x), probe);
      this.#samples.push({ epoch, report });
      return report;
    };
    // `fit` takes the methods of what is not first in its list off the object: hence bound ones.
    this.onTrainBegin = async () => void (await look(-1));
    this.onEpochEnd = async (epoch, logs) => {
      if ((epoch + 1) % every !== 0) return;
      const { zeroFraction, deadUnits } = await look(epoch);
      if (logs !== undefined)
        Object.assign(logs as Record<string, number | Scalar>, { zeros: zeroFraction, deadUnits });
    };
  }

  /** What was seen so far. */
  get samples(): readonly ActivityOfEpoch[] {
    return this.#samples;
  }
}

/**
 * Follows the zeros among the activations of a `LayersModel` while `fit` trains it; the model is not changed.
 *
 * The share of zeros and the number of dead units after each epoch go into its logs, and so into `history`: `zeros`, `deadUnits`.
 *
 *     const watch = watchFit(model, images);
 *     await model.fit(x, y, { epochs: 5, callbacks: [watch] });
 *     for (const { epoch, report } of watch.samples) console.log(epoch, report.zeroFraction);
 *
 * @param x Examples to look at, one batch; they stay the caller's.
 * @throws {FrugalError} From `fit`: `NO_ACTIVATIONS` if nothing in the model is rectified and `select` names nothing else.
 */
export function watchFit(model: tfl.LayersModel, x: Tensor, options: WatchFitOptions = {}): ZerosCallback {
  return new ZerosCallback(model, x, options);
}
