import { adam, backprop, lion, momentum, muon, sgd } from '@frugal/core-trainer';
import type { GradientEstimator, GradientTransformation, Schedule } from '@frugal/tensor';
import type { Config } from '../config.ts';

/** How the error becomes a correction; the forward-only ways are loaded when they are wanted. */
export async function estimatorOf({ gradient }: Config): Promise<GradientEstimator> {
  if (gradient === 'backprop') return backprop();
  const { activityPerturbation, spsa, weightPerturbation } = await import('@frugal/forward-grad');
  if (gradient === 'weights') return weightPerturbation({ directions: 8 });
  return gradient === 'activity' ? activityPerturbation() : spsa({ directions: 8 });
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
