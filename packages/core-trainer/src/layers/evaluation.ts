import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { LayersOptimizer } from './optimizer.ts';
import { optimizerOf } from './schedule.ts';

/**
 * Runs `f` while the model has the weights to evaluate and to ship: those of `withAverage` and of schedule-free
 * optimizers differ from the trained ones. Afterwards it has its own again.
 *
 *     const accuracy = await withEvaluationWeights(model, () => model.evaluate(x, y));
 *     await withEvaluationWeights(model, () => model.save(url));
 */
export async function withEvaluationWeights<R>(model: tfl.LayersModel, f: () => R | Promise<R>): Promise<R> {
  const optimizer = optimizerOf(model);
  const values = LayersOptimizer.is(optimizer) ? optimizer.evaluationParams() : undefined;
  if (values === undefined) return f();
  const variables = model.trainableWeights.map((weight) => weight.read() as tf.Variable);
  const own = variables.map((variable) => variable.clone());
  const put = (tensors: readonly tf.Tensor[]): void => {
    variables.forEach((variable, i) => void variable.assign(tensors[i]!));
    tf.dispose([...tensors]);
  };
  put(values);
  try {
    return await f();
  } finally {
    put(own);
  }
}
