import type { SeededEstimator } from './seeded.ts';
import { makeSpsa, type SpsaOptions } from './spsa.ts';

/** Options of `evolutionStrategy`. */
export interface EvolutionStrategyOptions extends Omit<SpsaOptions, 'epsilon' | 'antithetic' | 'directions'> {
  /** Mirrored pairs in a population, K. Default 32. */
  pairs?: number;
  /** How far members stand from the parameters, σ. Default 0.01. */
  sigma?: number;
}

/**
 * An evolution strategy: mirrored members θ ± σ vₖ, rank-one by default, ranked by standardised fitness.
 *
 *     g = (1/K) Σₖ zₖ vₖ,  zₖ = δₖ / √(mean of δ²),  δₖ = (f(θ + σ vₖ) − f(θ − σ vₖ)) / 2
 *
 * The length of g does not depend on the scale of the loss, so that one rate serves; it no longer estimates ∇f, but points
 * the same way. Needs values only, 2K passes.
 *
 * @returns A seeded estimator: a step is a key and K numbers.
 * @throws {FrugalError} As `spsa`.
 * arXiv 2511.16652 (EGGROLL), 1703.03864
 */
export function evolutionStrategy(options: EvolutionStrategyOptions = {}): SeededEstimator {
  const { pairs = 32, sigma = 0.01, ...rest } = options;
  return makeSpsa({ ...rest, directions: pairs, epsilon: sigma, antithetic: true }, true);
}
