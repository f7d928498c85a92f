import { FrugalError, type Schedule } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { toSchedule } from '../schedules/index.ts';
import { FitCallback } from './callback.ts';

/** The optimizer that a model was compiled with. */
export function optimizerOf(model: tfl.LayersModel): tf.Optimizer {
  const { optimizer } = model as { optimizer?: tf.Optimizer };
  if (optimizer !== undefined) return optimizer;
  throw new FrugalError('NOT_COMPILED', 'The model has no optimizer yet. Call model.compile before.');
}

/**
 * A learning-rate schedule for tfjs's own optimizers (`tf.train.adam(…)` and so on), as a `fit` callback.
 *
 * The step is the number of updates that the optimizer has made, so that a resumed `fit` goes on. An optimizer of ours
 * takes its schedule itself: `toLayersOptimizer(adamw(schedule))`.
 *
 * @throws {FrugalError} `NOT_COMPILED`; `NO_LEARNING_RATE` for an optimizer that keeps none, saying what to do.
 */
export function scheduleLearningRate(model: tfl.LayersModel, schedule: Schedule): FitCallback {
  const at = toSchedule('learningRate', schedule);
  const set = (): void => {
    const optimizer = optimizerOf(model) as tf.Optimizer & {
      learningRate?: number;
      setLearningRate?(rate: number): void;
    };
    const rate = at(optimizer.iterations);
    // SGD and momentum keep the rate in a tensor too.
    if (optimizer.setLearningRate !== undefined) optimizer.setLearningRate(rate);
    else if (typeof optimizer.learningRate === 'number') optimizer.learningRate = rate;
    else {
      throw new FrugalError(
        'NO_LEARNING_RATE',
        `${optimizer.getClassName()} has no learning rate to set. Pass the schedule to the optimizer itself.`,
      );
    }
  };
  return new FitCallback({ batchBegin: set });
}
