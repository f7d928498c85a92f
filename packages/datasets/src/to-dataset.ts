import type { Dataset, Labelled } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type BatchOptions, rowDataset } from './epoch.ts';
import { type Examples, elements, type Values } from './examples.ts';
import { gatherRows, type Normalization, normalizations } from './normalization.ts';

/** How `toDataset` makes batches. */
export interface ToDatasetOptions extends BatchOptions {
  /** How inputs are scaled. Default: bytes to [0, 1], everything else as it is. */
  readonly normalization?: Normalization;
  /** One row per example, `[B, n]`, instead of `[B, ...shape]`. Default: false. */
  readonly flatten?: boolean;
}

function targets(y: Values, rows: Int32Array, shape: readonly number[]): tf.Tensor {
  const width = elements(shape);
  const values = gatherRows(y, rows, width, normalizations.none);
  return y instanceof Float32Array || shape.length > 0
    ? tf.tensor(values, [rows.length, ...shape], 'float32')
    : tf.tensor(Int32Array.from(values), [rows.length], 'int32');
}

/** Makes one batch of the given rows; see `toDataset` for its parts. */
export function toBatch(
  examples: Examples,
  rows: Int32Array,
  options: Pick<ToDatasetOptions, 'normalization' | 'flatten'> = {},
): Labelled {
  const { normalization = examples.x instanceof Uint8Array ? normalizations.unit : normalizations.none } = options;
  const width = elements(examples.shape);
  const shape = options.flatten === true ? [width] : examples.shape;
  return {
    x: tf.tensor(gatherRows(examples.x, rows, width, normalization), [rows.length, ...shape], 'float32'),
    y: targets(examples.y, rows, examples.targetShape),
  };
}

/**
 * Batches of examples for training and evaluation, seeded and resumable at any batch.
 *
 * Each batch has `x`, float32 `[B, ...shape]` (`[B, n]` with `flatten`), and `y`: int32 `[B]` for classes and integers,
 * float32 `[B, ...targetShape]` otherwise. It is gathered on the host, so on the device there is one batch at a time.
 *
 * @throws {DataArgumentError} If `batchSize` is out of range.
 */
export function toDataset(examples: Examples, options: ToDatasetOptions): Dataset<Labelled> {
  return rowDataset(examples.size, options, (rows) => toBatch(examples, rows, options));
}
