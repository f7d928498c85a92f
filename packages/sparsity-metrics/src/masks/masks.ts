import { FrugalError, type Tree, treeEntries, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/**
 * Which weights stay: by path, for the pruned parameters only, float32 tensors of their shapes with 1 (stays) and 0 (is cut).
 *
 * A flat tree: it can be disposed, saved and restored like any other.
 */
export type Masks = Readonly<Record<string, tf.Tensor>>;

/** Which parameters may be pruned: gets the path (`'fc1.weight'`) and the parameter. */
export type Prunable = (path: string, parameter: tf.Tensor) => boolean;

/** Parameters of rank 2 and more: weights, but no biases and no norm scales. */
export const weightsOnly: Prunable = (_path, parameter) => parameter.rank >= 2;

/** Refuses masks that do not belong to `params`. */
export function checkMasks(masks: Masks, params: Tree): void {
  const parameters = new Map(treeEntries(params));
  for (const [path, mask] of Object.entries(masks)) {
    const parameter = parameters.get(path);
    if (parameter === undefined) {
      throw new FrugalError(
        'MASK_MISMATCH',
        `masks: there is no parameter '${path}'; there are ${[...parameters.keys()].join(', ')}.`,
      );
    }
    if (parameter.shape.join() !== mask.shape.join()) {
      throw new FrugalError(
        'MASK_MISMATCH',
        `masks: '${path}' has the shape [${mask.shape}], the parameter [${parameter.shape}]. Make masks from these parameters.`,
      );
    }
  }
}

/** A tree like `tree`: `f(leaf, mask)` where there is a mask, `other(leaf)` elsewhere. */
export function mapMasked<T extends Tree>(
  tree: T,
  masks: Masks,
  f: (leaf: tf.Tensor, mask: tf.Tensor) => tf.Tensor,
  other: (leaf: tf.Tensor) => tf.Tensor,
): T {
  const leaves = treeEntries(tree).map(([path, leaf]) => {
    const mask = masks[path];
    return mask === undefined ? other(leaf as tf.Tensor) : f(leaf as tf.Tensor, mask);
  });
  return treeUnflatten(tree, leaves);
}

/** What is cut is 0 and never −0, which a product alone makes of negative weights: trees that are cut alike are then equal to the bit, in files too. */
export function masked(leaf: tf.Tensor, mask: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.add(tf.mul(leaf, mask), 0));
}

/**
 * The parameters with what is cut set to zero; new tensors.
 *
 * @throws {FrugalError} `MASK_MISMATCH` if a mask fits no parameter.
 */
export function applyMasks<P extends Tree>(params: P, masks: Masks): P {
  checkMasks(masks, params);
  return mapMasked(params, masks, masked, (leaf) => leaf.clone());
}

/** How many weights of one parameter are left. "Sparsity" is the share of zeros. */
export interface ParameterSparsity {
  readonly path: string;
  readonly size: number;
  readonly zeros: number;
  readonly sparsity: number;
}

/** How many weights are left, by parameter and in all. */
export interface WeightSparsity {
  readonly parameters: readonly ParameterSparsity[];
  readonly size: number;
  readonly zeros: number;
  readonly sparsity: number;
}

/**
 * Counts the zeros among the weights.
 *
 * @param params Parameters, or masks.
 * @param prunable Which parameters count. Default: those of rank 2 and more.
 */
export async function weightSparsity(params: Tree, prunable: Prunable = weightsOnly): Promise<WeightSparsity> {
  const chosen = treeEntries(params).filter(([path, leaf]) => prunable(path, leaf as tf.Tensor));
  const parameters = await Promise.all(
    chosen.map(async ([path, leaf]): Promise<ParameterSparsity> => {
      const values = await leaf.data();
      let zeros = 0;
      for (let i = 0; i < values.length; i++) if (values[i] === 0) zeros++;
      return { path, size: values.length, zeros, sparsity: zeros / values.length };
    }),
  );
  const size = parameters.reduce((sum, one) => sum + one.size, 0);
  const zeros = parameters.reduce((sum, one) => sum + one.zeros, 0);
  return { parameters, size, zeros, sparsity: zeros / size };
}
