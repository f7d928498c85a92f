import type { Scalar } from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

/** What `fit` reports: numbers, or scalars that are still on the device. */
export type Logs = Record<string, number | Scalar>;

/** The moments of `fit` that a callback can take part in. */
export interface FitHooks {
  trainBegin?(): void | Promise<void>;
  trainEnd?(): void | Promise<void>;
  epochBegin?(epoch: number): void | Promise<void>;
  epochEnd?(epoch: number, logs: Logs): void | Promise<void>;
  batchBegin?(batch: number): void | Promise<void>;
  batchEnd?(batch: number, logs: Logs): void | Promise<void>;
}

/** What `fit` says about itself, where it says it. */
export interface FitParams {
  epochs?: number;
  initialEpoch?: number;
  samples?: number | null;
  steps?: number | null;
  batchSize?: number | null;
}

/**
 * A callback that stands beside tfjs's own and beside plain objects.
 *
 * `fit` calls the methods of the first on the instance, but takes those of the second off it: hence bound ones.
 */
export class FitCallback extends tfl.Callback {
  constructor(hooks: FitHooks) {
    super();
    this.onTrainBegin = async () => hooks.trainBegin?.();
    this.onTrainEnd = async () => hooks.trainEnd?.();
    this.onEpochBegin = async (epoch) => hooks.epochBegin?.(epoch);
    this.onEpochEnd = async (epoch, logs) => hooks.epochEnd?.(epoch, (logs ?? {}) as Logs);
    this.onBatchBegin = async (batch) => hooks.batchBegin?.(batch);
    this.onBatchEnd = async (batch, logs) => hooks.batchEnd?.(batch, (logs ?? {}) as Logs);
  }

  /** Undefined where `fit` was given plain objects first. */
  get fitParams(): FitParams | undefined {
    return this.params as FitParams | undefined;
  }
}

/** The numbers of logs, read from the device; those in `without` left out. */
export async function numbersOf(logs: Logs, without: readonly string[] = []): Promise<Record<string, number>> {
  const entries = Object.entries(logs).filter(([name]) => !without.includes(name));
  const read = entries.map(async ([name, value]): Promise<[string, number]> => {
    return [name, typeof value === 'number' ? value : (await value.data())[0]!];
  });
  return Object.fromEntries(await Promise.all(read));
}
