import {
  FrugalError,
  interpret,
  type KernelHandler,
  KernelName,
  type Tree,
  treeDispose,
  treeEntries,
  treeMap,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Amount } from './amount.ts';
import { type Masks, type Prunable, weightsOnly } from './masks.ts';
import { type PruneOptions, pruneByScores } from './prune.ts';

/** Which kernels multiply an input by a weight, and what they call the two. */
const products: Readonly<Record<string, readonly [input: string, weight: string]>> = {
  BatchMatMul: ['a', 'b'],
  _FusedMatMul: ['a', 'b'],
  Conv2D: ['x', 'filter'],
  FusedConv2D: ['x', 'filter'],
  [KernelName.ConvReluPool]: ['x', 'w'],
};

/**
 * The ℓ2 norm of each input feature of every weight, over all rows that a program multiplies by it: by path, [in].
 *
 * Seen at the kernels, so in any model whose weights are used as they are; those of convolutions over all pixels.
 *
 * @param fn Runs the model on calibration examples, with the very tensors of `params`; what it returns is disposed.
 * @returns The caller owns the norms.
 */
export function inputNorms(
  params: Tree,
  fn: () => tf.TensorContainer,
  prunable: Prunable = weightsOnly,
): Record<string, tf.Tensor1D> {
  const byData = new Map<object, string>();
  for (const [path, leaf] of treeEntries(params)) {
    if (prunable(path, leaf as tf.Tensor)) byData.set((leaf as tf.Tensor).dataId, path);
  }
  const squares = new Map<string, tf.Tensor1D>();
  const handler: KernelHandler = {
    kernel(name, inputs, attrs, next) {
      const [x, weight] = (products[name] ?? []).map((role) => (inputs as Record<string, tf.Tensor>)[role]);
      const path = weight === undefined ? undefined : byData.get(weight.dataId);
      if (x !== undefined && path !== undefined && attrs?.transposeA !== true && attrs?.transposeB !== true) {
        const sums = tf.tidy(() => tf.sum(tf.square(tf.reshape(x, [-1, x.shape.at(-1)!])), 0) as tf.Tensor1D);
        const before = squares.get(path);
        squares.set(path, tf.keep(before === undefined ? sums : tf.add(before, sums)));
        if (before !== undefined) tf.dispose([before, sums]);
      }
      const result = next(name, inputs, attrs);
      // tfjs multiplies by batches of one; on most backends, but not on all, they share the weight's data.
      const reshaped = name === 'Reshape' ? byData.get((inputs as Record<string, tf.Tensor>)['x']!.dataId) : undefined;
      if (reshaped !== undefined) byData.set((result as tf.Tensor).dataId, reshaped);
      return result;
    },
  };
  tf.dispose(interpret(handler, fn));
  const norms = [...squares].map(([path, sums]) => [path, tf.sqrt(sums)] as const);
  tf.dispose([...squares.values()]);
  return Object.fromEntries(norms);
}

/**
 * Cuts, without any training, the weights of smallest |w| · ‖x‖₂, unit by unit (Wanda, arXiv 2306.11695).
 *
 * ‖x‖₂ is the norm of the weight's input feature over calibration examples: a small weight on a loud input may matter more than a large one on
 * a silent one. Each unit loses the same share of its own weights.
 *
 * @param fn As of `inputNorms`.
 * @param amount Of the weights of each unit.
 * @returns Masks of the weights that the program multiplies by; the caller owns them.
 * @throws {FrugalError} `NO_INPUTS` if none of the weights was used; else as `pruneByScores`.
 */
export async function wandaMasks(
  params: Tree,
  fn: () => tf.TensorContainer,
  amount: Amount,
  options: Omit<PruneOptions, 'scope'> = {},
): Promise<Masks> {
  const norms = inputNorms(params, fn, options.prunable);
  const seen = Object.keys(norms);
  if (seen.length === 0) {
    throw new FrugalError(
      'NO_INPUTS',
      'wandaMasks: the program multiplied by none of these weights. Run the model with these very parameters.',
    );
  }
  const paths = treeEntries(params).map(([path]) => path);
  let i = 0;
  const scores = treeMap((leaf) => {
    const norm = norms[paths[i++]!];
    return norm === undefined ? tf.clone(leaf) : tf.tidy(() => tf.mul(tf.abs(leaf), tf.reshape(norm, [-1, 1])));
  }, params);
  try {
    return await pruneByScores(scores, amount, {
      ...options,
      scope: 'unit',
      prunable: (path) => norms[path] !== undefined,
    });
  } finally {
    treeDispose([scores, norms]);
  }
}
