import type { AnyModule } from '@frugal/nn';
import { FrugalError, type Tree, treeDispose, treeEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { inputNorms } from '../masks/wanda.ts';
import { joinPath, linksOf } from './chain.ts';
import { type KeptUnits, weightOf } from './units.ts';

/** What each unit matters, by the path of its layer; larger is better. */
export type UnitScores = Readonly<Record<string, Float32Array>>;

/**
 * Scores units by what they say: the ℓ2 norm of their activations, as the next layer reads them, over calibration examples.
 *
 * s_u = √(Σ over examples and positions of a_u²). 0 is a unit that was dead on every example. Seen at the kernels, so after pooling.
 *
 * @param model As of `pruneUnits`.
 * @param fn Runs the model on calibration examples, with the very tensors of `params`; what it returns is disposed.
 * @returns For `scores` of `pruneUnits`, or for `unitsAbove`.
 * @throws {FrugalError} `NOT_PRUNABLE`; `NO_INPUTS` if a layer of the model did not run on these parameters.
 */
export async function activationScores(
  model: AnyModule,
  params: Tree,
  fn: () => tf.TensorContainer,
): Promise<UnitScores> {
  const links = linksOf(model);
  const readers = new Set(links.map(({ to }) => joinPath(to.path, 'weight')));
  const norms = inputNorms(params, fn, (path) => readers.has(path));
  try {
    const scores = links.map(async ({ from, to }) => {
      const norm = norms[joinPath(to.path, 'weight')];
      if (norm === undefined) {
        throw new FrugalError(
          'NO_INPUTS',
          `activationScores: the program did not multiply by the weight of '${to.path}'. Run the model with these very parameters.`,
        );
      }
      const squares = new Float64Array(from.units);
      for (const [i, value] of (await norm.data()).entries()) squares[i % from.units]! += value * value;
      return [from.path, Float32Array.from(squares, Math.sqrt)] as const;
    });
    return Object.fromEntries(await Promise.all(scores));
  } finally {
    treeDispose(norms);
  }
}

/**
 * Scores units by what the loss would change without them, to first order (Taylor score, arXiv 1906.10771).
 *
 * s_u = |Σ a_u · ∂L/∂a_u|, over examples and positions. Taken from the weights that read u, Σ g · w, which is the same number.
 *
 * @param model As of `pruneUnits`.
 * @param grads The gradient of the mean loss on some examples, a tree like the parameters, from any estimator.
 * @returns For `scores` of `pruneUnits`.
 * @throws {FrugalError} `NOT_PRUNABLE`, `TREE_MISMATCH`.
 */
export async function gradientScores(model: AnyModule, params: Tree, grads: Tree): Promise<UnitScores> {
  const [weights, slopes] = [new Map(treeEntries(params)), new Map(treeEntries(grads))];
  const scores = linksOf(model).map(async ({ from, to }) => {
    weightOf(grads, to); // says what is wrong where the tree is another one
    const path = joinPath(to.path, 'weight');
    const sums = tf.tidy(() => {
      const products = tf.mul(weights.get(path)!, slopes.get(path)!);
      return tf.sum(tf.sum(tf.reshape(products, [-1, from.units, to.units]), 2), 0);
    });
    const values = Float32Array.from(await sums.data(), Math.abs);
    sums.dispose();
    return [from.path, values] as const;
  });
  return Object.fromEntries(await Promise.all(scores));
}

/**
 * The units that are not dead, or nearly so: whose score is above a share of the mean score of their layer.
 *
 * @param share At least 0, the default, which leaves out only what scored 0. A layer keeps its best unit in any case.
 * @returns For `unitMasks` and `compact`.
 * @throws {FrugalError} `BAD_OPTION`; `BAD_SCORES` for a NaN.
 */
export function unitsAbove(scores: UnitScores, share = 0): KeptUnits {
  if (!(share >= 0)) throw new FrugalError('BAD_OPTION', `unitsAbove: share must be at least 0, got ${share}.`);
  const kept = Object.entries(scores).map(([path, values]) => {
    const total = values.reduce((sum, value) => sum + value, 0);
    if (Number.isNaN(total)) throw new FrugalError('BAD_SCORES', `unitsAbove: a score of '${path}' is NaN.`);
    const limit = (share * total) / values.length;
    const above = Array.from(values.keys()).filter((unit) => values[unit]! > limit);
    return [path, above.length > 0 ? above : [values.indexOf(Math.max(...values))]] as const;
  });
  return Object.fromEntries(kept);
}
