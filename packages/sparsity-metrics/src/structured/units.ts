import type { AnyModule } from '@frugal/nn';
import { FrugalError, type Tree, treeEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Amount, countToCut } from '../masks/amount.ts';
import type { Masks } from '../masks/masks.ts';
import { smallest } from '../masks/select.ts';
import { joinPath, type LinearNode, linksOf } from './chain.ts';

/** Which units of each layer stay, by the layer's path: indices, ascending. Layers that are not named keep all. */
export type KeptUnits = Readonly<Record<string, readonly number[]>>;

/** Options of `pruneUnits`. */
export interface PruneUnitsOptions {
  /** Whether each layer loses its share, or all units are ranked together. Default `'layer'`. */
  scope?: 'global' | 'layer';
  /** Norm of the incoming weights that units are ranked by. Default 2. */
  norm?: 1 | 2;
  /** Scores of your own by layer path (from activations, gradients, …) instead; larger is better. */
  scores?: Readonly<Record<string, ArrayLike<number>>>;
  /** What was kept before: only that is ranked. */
  kept?: KeptUnits;
}

/** The weight of a linear layer. */
export function weightOf(params: Tree, node: LinearNode): tf.Tensor {
  const path = joinPath(node.path, 'weight');
  const weight = treeEntries(params).find(([name]) => name === path)?.[1] as tf.Tensor | undefined;
  if (weight === undefined || weight.shape.at(-1) !== node.units) {
    throw new FrugalError(
      'TREE_MISMATCH',
      `The parameters have no '${path}' with ${node.units} units. Take them from this model.`,
    );
  }
  return weight;
}

/** The norm of each unit's incoming weights, as PyTorch's ln_structured takes it. */
function norms(weight: ArrayLike<number>, units: number, norm: 1 | 2): Float32Array {
  const sums = new Float64Array(units);
  for (let i = 0; i < weight.length; i++) {
    const x = Math.abs(weight[i]!);
    sums[i % units]! += norm === 1 ? x : x * x;
  }
  return Float32Array.from(sums, (sum) => (norm === 1 ? sum : Math.sqrt(sum)));
}

/**
 * Picks the neurons and channels to keep: of every layer whose units only one other layer reads.
 *
 * The outputs of the model, and units that meet in sums or norms, are never cut. Every layer keeps at least one unit.
 *
 * @param model A model with a `spec`: chains of dense, conv2d, activations, pooling, flatten.
 * @param amount A share of what is left, `{ count }` or `{ sparsity }`; per layer with scope `'layer'`.
 * @returns Indices by layer path: for `unitMasks`, or at once for `compact`.
 * @throws {FrugalError} `NOT_PRUNABLE`, `BAD_OPTION`; `BAD_SCORES` for a NaN.
 */
export async function pruneUnits(
  model: AnyModule,
  params: Tree,
  amount: Amount,
  options: PruneUnitsOptions = {},
): Promise<KeptUnits> {
  const { scope = 'layer', norm = 2, scores, kept = {} } = options;
  const layers = await Promise.all(
    linksOf(model).map(async ({ from }) => {
      const own = scores?.[from.path];
      const values =
        own === undefined ? norms(await weightOf(params, from).data(), from.units, norm) : Float32Array.from(own);
      if (values.length !== from.units) {
        throw new FrugalError(
          'BAD_OPTION',
          `scores of '${from.path}' must be ${from.units} numbers, got ${values.length}.`,
        );
      }
      const alive = new Uint8Array(from.units);
      for (const unit of kept[from.path] ?? alive.keys()) alive[unit] = 1;
      return { path: from.path, values, alive };
    }),
  );
  for (const group of scope === 'global' ? [layers] : layers.map((layer) => [layer])) {
    const values = Float32Array.from(group.flatMap((layer) => [...layer.values]));
    const alive = Uint8Array.from(group.flatMap((layer) => [...layer.alive]));
    const left = alive.reduce((sum, value) => sum + value, 0);
    for (const i of smallest(values, alive, countToCut(amount, left, alive.length))) alive[i] = 0;
    let at = 0;
    for (const layer of group) {
      const own = alive.subarray(at, at + layer.alive.length);
      // A layer without units would cut the model in two: its best one stays.
      if (!own.includes(1)) own[best(layer.values, layer.alive)] = 1;
      layer.alive.set(own);
      at += own.length;
    }
  }
  return Object.fromEntries(
    layers.map(({ path, alive }) => [path, Array.from(alive.keys()).filter((unit) => alive[unit] === 1)]),
  );
}

function best(values: Float32Array, alive: Uint8Array): number {
  let at = -1;
  for (let i = 0; i < values.length; i++) if (alive[i] === 1 && (at < 0 || values[i]! > values[at]!)) at = i;
  return at;
}

/**
 * Masks that hold the cut units at zero, weights and biases: for `applyMasks` and `keepPruned`.
 *
 * @returns Masks of the layers that `kept` names; the caller owns them.
 * @throws {FrugalError} `BAD_OPTION` if a path is no layer whose units can be cut.
 */
export function unitMasks(model: AnyModule, params: Tree, kept: KeptUnits): Masks {
  const nodes = new Map(linksOf(model).map(({ from }) => [from.path, from]));
  const masks: Record<string, tf.Tensor> = {};
  for (const [path, units] of Object.entries(kept)) {
    const node = nodes.get(path);
    if (node === undefined) {
      throw new FrugalError(
        'BAD_OPTION',
        `kept: '${path}' is no layer whose units can be cut; those are ${[...nodes.keys()]}.`,
      );
    }
    const row = new Float32Array(node.units);
    for (const unit of units) row[unit] = 1;
    masks[joinPath(path, 'weight')] = tf.tidy(() => tf.mul(tf.onesLike(weightOf(params, node)), tf.tensor1d(row)));
    if (node.spec.bias) masks[joinPath(path, 'bias')] = tf.tensor1d(row);
  }
  return masks;
}
