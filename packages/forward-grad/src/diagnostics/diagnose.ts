import {
  type Context,
  FrugalError,
  foldIn,
  type GradientEstimator,
  type Key,
  type LossFunction,
  type Tree,
  treeDispose,
  treeLeaves,
  treeMaterialize,
  type UpdateTree,
  valueAndGrad,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** What `diagnose` takes beside estimator, loss, parameters and batch. */
export interface DiagnoseOptions {
  /** Trial i runs with `foldIn(key, i)`. */
  key: Key;
  /** Estimates to make, at least 2. Default 32. */
  trials?: number;
  /** What to compare with. Default: the exact gradient of the mean loss, by reverse mode. */
  gradient?: Tree;
  ctx?: Omit<Context, 'key'>;
}

/** How good an estimator is at one point. */
export interface Diagnosis {
  /** Mean cosine between an estimate and the gradient. */
  cosine: number;
  /** Mean squared cosine. */
  cosineSquared: number;
  /** E‖g‖² ÷ ‖∇f‖²: 1 for the gradient itself. */
  secondMoment: number;
  /** E‖g − E g‖² ÷ ‖∇f‖². */
  variance: number;
  /** Cosine between the mean of all estimates and the gradient. */
  cosineOfMean: number;
  /**
   * ‖mean g − ∇f‖² in units of what chance gives an unbiased estimator, variance ÷ trials: about 1 without bias,
   * growing with the trials with one.
   */
  bias: number;
  trials: number;
}

function flat(tree: UpdateTree): tf.Tensor1D {
  const dense = treeMaterialize(tree);
  try {
    return tf.tidy(() =>
      tf.concat(treeLeaves(dense).map((leaf) => tf.reshape(leaf as tf.Tensor, [-1]))),
    ) as tf.Tensor1D;
  } finally {
    treeDispose(dense);
  }
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

async function read(tree: UpdateTree): Promise<Float64Array> {
  const vector = flat(tree);
  try {
    return Float64Array.from(await vector.data());
  } finally {
    vector.dispose();
  }
}

/**
 * Cosine between two trees of gradients, in doubles.
 *
 * @returns NaN if one of them is zero.
 */
export async function cosineSimilarity(a: UpdateTree, b: UpdateTree): Promise<number> {
  const [x, y] = [await read(a), await read(b)];
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}

/**
 * Measures an estimator against the exact gradient at one point: direction, variance, bias.
 *
 * @returns Means over the trials; compare them with `expectedCosine`, `secondMomentRatio`, ….
 * @throws {FrugalError} `BAD_ARGUMENT` for fewer than 2 trials.
 */
export async function diagnose<P extends Tree, B>(
  estimator: GradientEstimator,
  loss: LossFunction<P, B>,
  params: P,
  batch: B,
  options: DiagnoseOptions,
): Promise<Diagnosis> {
  const { key, trials = 32, ctx = { train: true } } = options;
  if (!Number.isSafeInteger(trials) || trials < 2) {
    throw new FrugalError('BAD_ARGUMENT', `trials must be an integer of at least 2, got ${trials}.`);
  }
  const exact = options.gradient
    ? await read(options.gradient)
    : await exactGradient(loss, params, batch, { ...ctx, key });
  const norm2 = dot(exact, exact);
  const mean = new Float64Array(exact.length);
  const sums = { cosine: 0, cosineSquared: 0, squares: 0 };
  for (let trial = 0; trial < trials; trial++) {
    const { loss: value, grads } = estimator(loss, params, batch, foldIn(key, trial), ctx);
    value.dispose();
    const g = await read(grads);
    treeDispose(grads);
    const square = dot(g, g);
    const cosine = dot(g, exact) / Math.sqrt(square * norm2);
    sums.cosine += cosine;
    sums.cosineSquared += cosine ** 2;
    sums.squares += square;
    for (const [i, value] of g.entries()) mean[i]! += value / trials;
  }
  const meanNorm2 = dot(mean, mean);
  const variance = ((sums.squares / trials - meanNorm2) * trials) / (trials - 1);
  const difference = meanNorm2 - 2 * dot(mean, exact) + norm2;
  return {
    cosine: sums.cosine / trials,
    cosineSquared: sums.cosineSquared / trials,
    secondMoment: sums.squares / trials / norm2,
    variance: variance / norm2,
    cosineOfMean: dot(mean, exact) / Math.sqrt(meanNorm2 * norm2),
    bias: difference / (variance / trials),
    trials,
  };
}

async function exactGradient<P extends Tree, B>(
  loss: LossFunction<P, B>,
  params: P,
  batch: B,
  ctx: Context,
): Promise<Float64Array> {
  const [value, grads] = valueAndGrad((p: P) => tf.mean(loss(p, batch, ctx)))(params);
  value.dispose();
  try {
    return await read(grads);
  } finally {
    treeDispose(grads);
  }
}
