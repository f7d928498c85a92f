import { adam, backprop, lion, momentum, muon, sgd } from '@frugal/core-trainer';
import type { GradientEstimator, GradientTransformation, Schedule, Staged, Tree } from '@frugal/tensor';
import type { Config } from '../config.ts';
import type { Task } from './task.ts';

/** How the error becomes a correction, where the task has no way of its own; loaded when it is wanted. */
export async function estimatorOf({ gradient }: Config, task: Task): Promise<GradientEstimator> {
  if (task.estimator !== undefined) return task.estimator;
  if (gradient === 'backprop') return backprop();
  const { activityPerturbation, spsa, weightPerturbation } = await import('@frugal/forward-grad');
  if (gradient === 'weights') return weightPerturbation({ directions: 8 });
  return gradient === 'activity' ? activityPerturbation() : spsa({ directions: 8 });
}

/** Local learning brings a model with heads, a loss and an estimator; undefined where it was not asked for. */
export async function localOf(
  { gradient }: Config,
  model: Staged<Tree>,
  inputShape: readonly number[],
): Promise<Pick<Task, 'model' | 'loss' | 'estimator'> | undefined> {
  if (gradient !== 'local' && gradient !== 'guided') return undefined;
  const { localLearning } = await import('@frugal/forward-grad');
  return localLearning(model, { inputShape, method: gradient === 'local' ? 'greedy' : 'guided' }) as never;
}

/** `rate` is asked at every step, so the slider acts at once. */
export function optimizerOf({ optimizer }: Pick<Config, 'optimizer'>, rate: number | Schedule): GradientTransformation {
  switch (optimizer) {
    case 'sgd':
      return sgd(rate) as GradientTransformation;
    case 'momentum':
      return momentum(rate) as GradientTransformation;
    case 'lion':
      return lion(rate) as GradientTransformation;
    case 'muon':
      return muon(rate) as GradientTransformation;
    default:
      return adam(rate) as GradientTransformation;
  }
}
