import { FrugalError, type Tree, treeEntries } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';

/** A weight and, where there is one, the bias that is added to its product; positions among the leaves of the tree. */
export interface WeightedLayer {
  readonly path: string;
  readonly weight: number;
  readonly bias: number | undefined;
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('.')));
const nameOf = (path: string): string => path.slice(path.lastIndexOf('.') + 1);

/**
 * Finds the weights (leaves of rank 2 or more) with their biases (a leaf named `bias` beside, as long as the last axis).
 *
 * @returns The layers, and the positions of all other leaves.
 */
export function findLayers(params: Tree): { layers: WeightedLayer[]; others: number[] } {
  const entries = treeEntries(params);
  const taken = new Set<number>();
  const layers = entries.flatMap(([path, leaf], weight): WeightedLayer[] => {
    if (leaf.rank < 2) return [];
    const beside = (other: string): boolean => parentOf(other) === parentOf(path) && nameOf(other) === 'bias';
    const bias = entries.findIndex(([other, b]) => beside(other) && b.rank === 1 && b.size === leaf.shape.at(-1));
    taken.add(weight);
    if (bias >= 0) taken.add(bias);
    return [{ path, weight, bias: bias >= 0 ? bias : undefined }];
  });
  return { layers, others: [...entries.keys()].filter((i) => !taken.has(i)) };
}

/** @throws {FrugalError} `UNSUPPORTED_LAYER` unless these parameters are one weight with or without a bias. */
export function singleLayer(name: string, params: Tree): { weight: tf.Tensor; bias: tf.Tensor | undefined } {
  const { layers, others } = findLayers(params);
  const leaves = treeEntries(params);
  const [layer] = layers;
  if (layers.length !== 1 || layer === undefined || others.length > 0) {
    throw new FrugalError(
      'UNSUPPORTED_LAYER',
      `Stage '${name}' has the parameters [${leaves.map(([path]) => path)}]; local learning needs one weight of rank 2 ` +
        'or more and at most a bias in each stage.',
    );
  }
  return { weight: leaves[layer.weight]![1], bias: layer.bias === undefined ? undefined : leaves[layer.bias]![1] };
}
