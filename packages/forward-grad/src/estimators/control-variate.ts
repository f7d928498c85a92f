import {
  FrugalError,
  jvp,
  jvpMany,
  type Tree,
  treeDispose,
  treeLeaves,
  treeMaterialize,
  treeUnflatten,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type DirectionOptions, Directions, directionSettings } from '../noise/directions.ts';
import { coefficients } from './combine.ts';
import { type Measurement, makeSeeded, type ScalarOptions, type SeededEstimator } from './seeded.ts';

/** Options of `controlVariate`. */
export interface ControlVariateOptions extends DirectionOptions, ScalarOptions {
  /** How much of the running mean of estimates is kept per step, in [0, 1). Default 0.9. */
  beta?: number;
  /**
   * Also measures the slope along the running mean, by a second pass, and expects that much of it (momentum as a guess):
   * an old or wrong mean then does no harm. Default false: the mean is taken as it is.
   */
  measured?: boolean;
}

/** A seeded estimator that remembers. Replay its log with a fresh one of the same options, from the first step on. */
export interface ControlVariate extends SeededEstimator {
  /** Forgets the running mean, and frees it. */
  dispose(): void;
}

/**
 * Forward gradients around a running mean m of past estimates: only what differs from m is measured at random.
 *
 *     g = c + (1/K) Σₖ (∇f · vₖ − c · vₖ) vₖ,  c = m, or (∇f · m̂) m̂ if measured;  m ← β m + (1 − β) g
 *
 * E[g] = ∇f whatever m is, as m does not depend on the new directions; E‖g − ∇f‖² falls from (d ∓ 1)/K ‖∇f‖² to that of
 * ‖∇f − c‖². Worth it where gradients change slowly; keeps a dense copy of the parameters.
 *
 * @returns A seeded estimator with a memory; dense gradients. `dispose` it.
 * @throws {FrugalError} `BAD_OPTION`; when called what `weightPerturbation` throws.
 * arXiv 2212.07282 (momentum as control variate), 2312.04709 (guesses)
 */
export function controlVariate(options: ControlVariateOptions = {}): ControlVariate {
  const settings = directionSettings(options);
  const { beta = 0.9, measured = false, clip } = options;
  if (!(beta >= 0 && beta < 1)) throw new FrugalError('BAD_OPTION', `beta must be in [0, 1), got ${beta}.`);
  let mean: Tree | undefined;

  function run<P extends Tree>(f: (params: P) => tf.Scalar, params: P, sampled: Directions): Measurement {
    const along = sampled.count === 1 ? jvp : jvpMany;
    const [loss, slopes] = along((p: P) => f(p), [params], [sampled.tangents]);
    const scalars = tf.tidy(() => {
      const random = tf.reshape(slopes, [sampled.count]) as tf.Tensor1D;
      if (!measured) return random;
      if (mean === undefined) return tf.concat([random, tf.zeros([1])]) as tf.Tensor1D;
      const [, slope] = jvp((p: P) => f(p), [params], [mean as never]);
      return tf.concat([random, tf.reshape(slope, [1])]) as tf.Tensor1D;
    });
    if (scalars !== (slopes as tf.Tensor)) slopes.dispose();
    return { loss, scalars };
  }

  /** What is expected before measuring: the mean, or its part that the slope along it supports. */
  function expectation(scalars: tf.Tensor1D, count: number): Tree | undefined {
    if (mean === undefined || !measured) return mean;
    const square = tf.addN((treeLeaves(mean) as tf.Tensor[]).map((leaf) => tf.sum(tf.square(leaf))));
    const scale = tf.div(tf.reshape(tf.slice(scalars, count, 1), []), tf.maximum(square, 1e-30));
    return treeUnflatten(
      mean,
      (treeLeaves(mean) as tf.Tensor[]).map((leaf) => tf.mul(leaf, scale)),
    );
  }

  function combine(sampled: Directions, scalars: tf.Tensor1D): Tree {
    const before = mean;
    const [grads, next] = tf.tidy(() => {
      const slopes = tf.slice(scalars, 0, sampled.count) as tf.Tensor1D;
      const expected = expectation(scalars, sampled.count);
      const surprise = expected === undefined ? slopes : (tf.sub(slopes, sampled.dot(expected)) as tf.Tensor1D);
      const random = sampled.gradient(coefficients(sampled, surprise, 'mean'));
      const drawn = treeLeaves(treeMaterialize(random)) as tf.Tensor[];
      treeDispose(random);
      const centre = expected === undefined ? undefined : (treeLeaves(expected) as tf.Tensor[]);
      const leaves = drawn.map((leaf, i) => (centre === undefined ? leaf : tf.add(leaf, centre[i]!)));
      const old = before === undefined ? undefined : (treeLeaves(before) as tf.Tensor[]);
      const means = leaves.map((g, i) => tf.add(tf.mul(old?.[i] ?? tf.zerosLike(g), beta), tf.mul(g, 1 - beta)));
      return [leaves, means.map((leaf) => tf.keep(leaf))];
    }) as [tf.Tensor[], tf.Tensor[]];
    const tree = sampled.like(grads);
    mean = treeUnflatten(tree, next);
    if (before !== undefined) treeDispose(before);
    return tree;
  }

  const seeded = makeSeeded({
    directions: settings.directions + (measured ? 1 : 0),
    clip,
    sample: (params, key) => new Directions(params, key, settings),
    run,
    combine,
  });
  return Object.assign(seeded, {
    dispose(): void {
      if (mean !== undefined) treeDispose(mean);
      mean = undefined;
    },
  });
}
