import type { Dataset } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type BatchOptions, rowDataset } from '../epoch.ts';
import { checkCount, DataArgumentError } from '../errors.ts';
import { integer } from '../host-random.ts';

/** A batch of windows: int32 `[B, context + 1]`. Inputs are all but the last column, targets all but the first. */
export type TokenBatch = { readonly tokens: tf.Tensor2D };

/** How `tokenDataset` makes batches. */
export interface TokenDatasetOptions extends BatchOptions {
  /** How many tokens are predicted in a window. */
  readonly context: number;
}

/**
 * Windows of a text for next-token training, as core-trainer's objective `nextToken` takes them.
 *
 * An epoch predicts every token about once: windows overlap by the one token that is target here and input there. With `shuffle` their order and where the first
 * one starts are new every epoch; without it they start at token 0, in order.
 *
 * @param tokens The text, encoded.
 * @throws {DataArgumentError} If the text is shorter than 2 · `context` tokens.
 */
export function tokenDataset(tokens: Int32Array, options: TokenDatasetOptions): Dataset<TokenBatch> {
  const { context, shuffle = true } = options;
  checkCount('context', context);
  if (tokens.length < 2 * context) {
    throw new DataArgumentError(`tokens are ${tokens.length}, context ${context} needs ${2 * context} or more.`);
  }
  // The same number of windows wherever the first one starts.
  const windows = Math.floor((tokens.length - (shuffle ? context : 1)) / context);
  return rowDataset(windows, options, (rows, drawKey) => {
    const start = shuffle ? integer(drawKey, context) : 0;
    const width = context + 1;
    const values = new Int32Array(rows.length * width);
    for (let i = 0; i < rows.length; i++) {
      const at = start + rows[i]! * context;
      values.set(tokens.subarray(at, at + width), i * width);
    }
    return { tokens: tf.tensor2d(values, [rows.length, width], 'int32') };
  });
}

/**
 * Cuts a text or its tokens into consecutive parts: the last share is for validation.
 *
 * @param share Of the whole, between 0 and 1 exclusive, e.g. 0.1.
 */
export function splitSequence<T extends string | Int32Array>(
  sequence: T,
  share: number,
): { readonly train: T; readonly validation: T } {
  if (!(share > 0 && share < 1)) throw new DataArgumentError(`share is ${share}. Pass a number between 0 and 1.`);
  const at = Math.round(sequence.length * (1 - share));
  return { train: sequence.slice(0, at) as T, validation: sequence.slice(at) as T };
}
