import type { Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { symmetricEigenvalues } from '../curvature/symmetric.ts';
import { checkNumber, ProbeError } from '../errors.ts';
import type { ProbeCost, ProbeOptions, Problem } from '../problem.ts';
import { examplesIn, onScene } from '../scene.ts';
import { gradientRows } from './gradients.ts';

/** Options of `noiseScale`. */
export interface NoiseScaleOptions extends ProbeOptions {
  /** Batches whose gradients are compared. Default 16. */
  readonly batches?: number;
}

/** How noisy gradients are. */
export interface NoiseScale {
  /** B_simple = tr Σ / |G|²: the batch size at which noise and signal are equal, beyond which larger batches save little. */
  readonly scale: number;
  /** Its standard error, by leaving out a batch at a time. */
  readonly error: number;
  /** |G|² of the true gradient, unbiased: may be negative where noise is all there is. */
  readonly signal: number;
  /** tr Σ of the gradients of single examples, unbiased. */
  readonly noise: number;
  readonly batchSize: number;
  readonly cost: ProbeCost;
}

/**
 * The gradient noise scale (arXiv 1812.06162), from gradients of n batches of B examples and of all together:
 *
 *     |G|² = (nB |Ḡ|² − B mean|gᵢ|²) / (nB − B),   tr Σ = (mean|gᵢ|² − |Ḡ|²) / (1/B − 1/nB)
 *
 * Both are unbiased; numerator and denominator are averaged apart, for the mean of their ratios is biased.
 *
 * @throws {ProbeError} `FLAT` where the signal cannot be told from zero with so few batches.
 */
export async function noiseScale<P extends Tree, B>(
  problem: Problem<P, B>,
  options: NoiseScaleOptions = {},
): Promise<NoiseScale> {
  const { batches = 16 } = options;
  checkNumber('batches', batches, { min: 3, integer: true });
  return onScene(problem, options, async (scene) => {
    const batchSize = examplesIn(await scene.batch(0));
    const rows = await gradientRows(scene, batches);
    const gram = tf.tidy(() => tf.matMul(rows, rows, false, true));
    rows.dispose();
    const products = (await gram.data()) as Float32Array;
    gram.dispose();
    const all = Array.from({ length: batches }, (_, i) => i);
    const { signal, noise } = estimate(products, batches, all, batchSize);
    if (!(signal > 0)) {
      throw new ProbeError(
        'FLAT',
        `the gradient cannot be told from zero by ${batches} batches of ${batchSize}. Pass more batches, or larger ones.`,
      );
    }
    const without = all.map((i) => {
      const rest = estimate(
        products,
        batches,
        all.filter((j) => j !== i),
        batchSize,
      );
      return rest.noise / rest.signal;
    });
    const centre = without.reduce((sum, value) => sum + value, 0) / batches;
    const spread = without.reduce((sum, value) => sum + (value - centre) ** 2, 0);
    const error = Math.sqrt(((batches - 1) / batches) * spread);
    return { scale: noise / signal, error, signal, noise, batchSize, cost: scene.cost };
  });
}

/** The two-batch form on some of the gradients, from their products with each other. */
function estimate(
  products: Float32Array,
  width: number,
  chosen: readonly number[],
  batchSize: number,
): { signal: number; noise: number } {
  const count = chosen.length;
  let [own, total] = [0, 0];
  for (const i of chosen) {
    own += products[i * width + i]! / count;
    for (const j of chosen) total += products[i * width + j]! / count ** 2;
  }
  const [small, big] = [batchSize, batchSize * count];
  return { signal: (big * total - small * own) / (big - small), noise: (own - total) / (1 / small - 1 / big) };
}

/** Options of `gradientCovariance`. */
export interface GradientCovarianceOptions extends ProbeOptions {
  /** Batches whose gradients are compared. Default 16. */
  readonly batches?: number;
  /** Eigenvalues to report. Default 5. */
  readonly count?: number;
}

/**
 * The covariance of the gradients of batches, as the break-even papers watch it (arXiv 2002.09572).
 *
 * @returns The largest eigenvalues of K = (1/n) Σ (gᵢ − ḡ)(gᵢ − ḡ)ᵀ, descending, by the Gram matrix; its trace; and how much
 *   of the mean squared gradient is noise.
 */
export async function gradientCovariance<P extends Tree, B>(
  problem: Problem<P, B>,
  options: GradientCovarianceOptions = {},
): Promise<{ readonly eigenvalues: readonly number[]; readonly trace: number; readonly noiseShare: number }> {
  const { batches = 16, count = 5 } = options;
  checkNumber('batches', batches, { min: 2, integer: true });
  return onScene(problem, options, async (scene) => {
    const rows = await gradientRows(scene, batches);
    const [gram, square] = tf.tidy(() => {
      const centred = tf.sub(rows, tf.mean(rows, 0, true)) as tf.Tensor2D;
      return [
        tf.div(tf.matMul(centred, centred, false, true), batches),
        tf.div(tf.sum(tf.square(rows)), batches),
      ] as const;
    });
    rows.dispose();
    const [values, [whole]] = [(await gram.data()) as Float32Array, await square.data()];
    tf.dispose([gram, square]);
    const trace = Array.from({ length: batches }, (_, i) => values[i * batches + i]!).reduce((a, b) => a + b, 0);
    return {
      eigenvalues: symmetricEigenvalues(values, batches).slice(0, count),
      trace,
      noiseShare: trace / whole!,
    };
  });
}
