import { adam, backprop, lion, momentum, muon, sgd } from '@frugal/core-trainer';
import { activityPerturbation, spsa, weightPerturbation } from '@frugal/forward-grad';
import type { GradientEstimator, GradientTransformation, Schedule } from '@frugal/tensor';
import type { Config } from '../config.ts';

/** How the error becomes a correction. */
export function estimatorOf({ gradient }: Config): GradientEstimator {
  switch (gradient) {
    case 'weights':
      return weightPerturbation({ directions: 8 });
    case 'activity':
      return activityPerturbation();
    case 'spsa':
      return spsa({ directions: 8 });
    default:
      return backprop();
  }
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
