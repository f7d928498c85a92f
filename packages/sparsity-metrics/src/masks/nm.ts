import { FrugalError, type Tree, treeDispose, treeEntries, treeMap } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Masks, type Prunable, weightsOnly } from './masks.ts';

/** At most `keep` of every `group` weights that meet in one output are not zero, e.g. 2 of 4. */
export interface Pattern {
  readonly keep: number;
  readonly group: number;
}

/** Options of `patternMasks`. */
export interface PatternMasksOptions extends Pattern {
  /** What weights are ranked by, a tree like the parameters. Default: magnitude. */
  readonly scores?: Tree;
  /** Which parameters. Default: those of rank 2 and more whose inputs are a multiple of `group`. */
  readonly prunable?: Prunable;
}

/** Inputs of a weight […, in, out]: the axis before the last, along which groups lie. */
const inputsOf = (leaf: tf.Tensor): number => leaf.shape.at(-2) ?? 0;

function checkPattern({ keep, group }: Pattern): void {
  if (Number.isInteger(keep) && Number.isInteger(group) && keep >= 0 && keep <= group && group > 0) return;
  throw new FrugalError(
    'BAD_OPTION',
    `A pattern keeps 0 ≤ keep ≤ group weights, both integers; got ${keep} of ${group}.`,
  );
}

/**
 * Cuts to an N:M pattern, which hardware with sparse units runs at twice the speed (2:4, arXiv 2104.08378).
 *
 * Of every `group` weights that follow each other along the inputs of one output, the `keep` with the largest scores stay; of equal scores the
 * first are cut.
 *
 * @returns Masks; the caller owns them.
 * @throws {FrugalError} `BAD_OPTION` for an impossible pattern, or inputs of a chosen parameter that are no multiple of `group`; `BAD_SCORES` for a
 *   NaN.
 */
export async function patternMasks(params: Tree, options: PatternMasksOptions): Promise<Masks> {
  checkPattern(options);
  const { keep, group, prunable } = options;
  const chosen: Prunable = prunable ?? ((path, leaf) => weightsOnly(path, leaf) && inputsOf(leaf) % group === 0);
  const scores = options.scores ?? treeMap((leaf) => tf.abs(leaf), params);
  const masks: Record<string, tf.Tensor> = {};
  try {
    for (const [path, entry] of treeEntries(scores)) {
      const leaf = entry as tf.Tensor;
      if (!chosen(path, leaf)) continue;
      const inputs = inputsOf(leaf);
      if (inputs % group !== 0) {
        throw new FrugalError(
          'BAD_OPTION',
          `'${path}' has ${inputs} inputs, no multiple of ${group}. Leave it out with prunable.`,
        );
      }
      const values = (await leaf.data()) as Float32Array;
      if (values.some(Number.isNaN)) {
        throw new FrugalError('BAD_SCORES', `a score of '${path}' is NaN, so nothing can be ranked by it.`);
      }
      masks[path] = tf.tensor(cutGroups(values, leaf.shape.at(-1)!, { keep, group }), leaf.shape, 'float32');
    }
    return masks;
  } catch (error) {
    treeDispose(masks);
    throw error;
  } finally {
    if (options.scores === undefined) treeDispose(scores);
  }
}

function cutGroups(values: Float32Array, units: number, { keep, group }: Pattern): Float32Array {
  const mask = new Float32Array(values.length).fill(1);
  const places = new Array<number>(group);
  for (let row = 0; row < values.length / units; row += group) {
    for (let unit = 0; unit < units; unit++) {
      for (let i = 0; i < group; i++) places[i] = (row + i) * units + unit;
      const rising = places.toSorted((a, b) => values[a]! - values[b]! || a - b);
      for (let i = 0; i < group - keep; i++) mask[rising[i]!] = 0;
    }
  }
  return mask;
}

/**
 * The share of groups of a weight […, in, out] that keep to a pattern: 1 where hardware for it can be used.
 *
 * @throws {FrugalError} `BAD_OPTION` for an impossible pattern, or inputs that are no multiple of `group`.
 */
export async function patternShare(weight: tf.Tensor, pattern: Pattern): Promise<number> {
  checkPattern(pattern);
  const { keep, group } = pattern;
  if (weight.rank < 2 || inputsOf(weight) % group !== 0) {
    throw new FrugalError(
      'BAD_OPTION',
      `A weight of shape [${weight.shape}] has no groups of ${group} along its inputs.`,
    );
  }
  const values = await weight.data();
  const units = weight.shape.at(-1)!;
  const groups = values.length / group;
  let kept = 0;
  for (let row = 0; row < values.length / units; row += group) {
    for (let unit = 0; unit < units; unit++) {
      let left = 0;
      for (let i = 0; i < group; i++) if (values[(row + i) * units + unit] !== 0) left++;
      if (left <= keep) kept++;
    }
  }
  return kept / groups;
}
