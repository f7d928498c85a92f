import type { Dataset, Labelled } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type BatchOptions, rowDataset } from '../epoch.ts';
import { checkCount, DataArgumentError } from '../errors.ts';
import { integer } from '../host-random.ts';

/** How `tokenDataset` makes batches. */
export interface TokenDatasetOptions extends BatchOptions {
  /** Tokens in a window. */
  readonly context: number;
}

/**
 * Windows of a text for next-token training: `x` int32 `[B, context]`, `y` the same shifted by one.
 *
 * An epoch reads every token about once: the windows do not overlap. With `shuffle` their order and where the first
 * one starts are new every epoch; without it they start at token 0, in order.
 *
 * @param tokens The text, encoded.
 * @throws {DataArgumentError} If the text is shorter than 2 · `context` tokens.
 */
export function tokenDataset(tokens: Int32Array, options: TokenDatasetOptions): Dataset<Labelled> {
  const { context, shuffle = true } = options;
  checkCount('context', context);
  if (tokens.length < 2 * context) {
    throw new DataArgumentError(`tokens are ${tokens.length}, context ${context} needs ${2 * context} or more.`);
  }
  // The same number of windows wherever the first one starts.
  const windows = Math.floor((tokens.length - (shuffle ? context : 1)) / context);
  return rowDataset(windows, options, (rows, drawKey) => {
    const start = shuffle ? integer(drawKey, context) : 0;
    const x = new Int32Array(rows.length * context);
    const y = new Int32Array(rows.length * context);
    for (let i = 0; i < rows.length; i++) {
      const at = start + rows[i]! * context;
      x.set(tokens.subarray(at, at + context), i * context);
      y.set(tokens.subarray(at + 1, at + 1 + context), i * context);
    }
    const shape = [rows.length, context];
    return { x: tf.tensor(x, shape, 'int32'), y: tf.tensor(y, shape, 'int32') };
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
