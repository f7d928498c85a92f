import { FrugalError } from '@frugal/tensor';
import type { NoiseKind } from '../noise/noise.ts';

/** What a law is asked about. */
export interface LawOptions {
  /** Parameters that are perturbed, d. */
  dimension: number;
  /** Directions per step, K. Default 1. */
  directions?: number;
  /** Default `'signs'`. */
  noise?: NoiseKind;
}

function sizes({ dimension, directions = 1, noise = 'signs' }: LawOptions) {
  if (!(dimension >= 1 && directions >= 1)) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `dimension and directions must be at least 1, got ${dimension} and ${directions}.`,
    );
  }
  return { d: dimension, k: directions, excess: noise === 'normal' ? 1 : -1 };
}

/**
 * E‖g‖² ÷ ‖∇f‖² of the mean over K directions: 1 + (d + 1)/K with normal numbers, 1 + (d − 1)/K with signs.
 *
 * For one direction these are d + 2 and d. Rank-one signs have the law of dense ones.
 */
export function secondMomentRatio(options: LawOptions): number {
  const { d, k, excess } = sizes(options);
  return 1 + (d + excess) / k;
}

/** The cosine between the mean over K directions and ∇f for large d: 1 ÷ √E‖g‖² in units of ‖∇f‖. */
export function expectedCosine(options: LawOptions): number {
  return 1 / Math.sqrt(secondMomentRatio(options));
}

/** The expected squared cosine between the orthogonal projection on K directions and ∇f: K/d, at most 1. */
export function expectedProjectionCosineSquared(options: LawOptions): number {
  const { d, k } = sizes(options);
  return Math.min(1, k / d);
}

/**
 * The factor by which E f falls per step of length `stepSize` on f = ½‖x‖²: (1 − α)² + α² (d ± 1)/K.
 *
 * Training is stable below α = 2 ÷ secondMomentRatio, and fastest at half of that.
 */
export function quadraticFactor(stepSize: number, options: LawOptions): number {
  const { d, k, excess } = sizes(options);
  return (1 - stepSize) ** 2 + (stepSize ** 2 * (d + excess)) / k;
}
