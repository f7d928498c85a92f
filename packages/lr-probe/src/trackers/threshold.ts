import { checkNumber } from '../errors.ts';

/** Which optimizer, as far as stability is concerned. */
export interface ThresholdOptions {
  /** Default `'sgd'`. */
  readonly optimizer?: 'sgd' | 'heavyBall' | 'nesterov' | 'adam';
  /** Momentum, Adam's β₁. Default 0.9. */
  readonly beta?: number;
}

/**
 * The curvature at which full-batch descent on a quadratic becomes unstable (arXiv 2103.00065, 2207.14484).
 *
 * 2/η; heavy ball (2 + 2β)/η; Nesterov (2 + 2β)/((1 + 2β) η); Adam (2 + 2β)/((1 − β) η) of the preconditioned Hessian, which is
 * 38/η for β = 0.9.
 */
export function stabilityThreshold(rate: number, options: ThresholdOptions = {}): number {
  const { optimizer = 'sgd', beta = 0.9 } = options;
  checkNumber('rate', rate, { positive: true });
  checkNumber('beta', beta, { min: 0, max: 0.999999 });
  switch (optimizer) {
    case 'sgd':
      return 2 / rate;
    case 'heavyBall':
      return (2 + 2 * beta) / rate;
    case 'nesterov':
      return (2 + 2 * beta) / ((1 + 2 * beta) * rate);
    case 'adam':
      return (2 + 2 * beta) / ((1 - beta) * rate);
  }
}
