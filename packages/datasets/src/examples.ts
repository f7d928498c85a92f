import type { Key } from '@frugal/tensor';
import { checkCount, DataArgumentError } from './errors.ts';
import { permutation } from './host-random.ts';
import type { IdxArray, IdxValues } from './idx.ts';

/** How examples lie in memory, on the host. */
export type Values = Uint8Array | Int32Array | Float32Array;

/**
 * A set of examples in memory: inputs and targets as they come from the file, row after row.
 *
 * Nothing is normalised here; `toDataset` does that while it makes batches.
 */
export interface Examples<X extends Values = Values, Y extends Values = Values> {
  readonly size: number;
  readonly x: X;
  /** Shape of one input, e.g. `[28, 28, 1]`. */
  readonly shape: readonly number[];
  readonly y: Y;
  /** Shape of one target: `[]` for a class or a number. */
  readonly targetShape: readonly number[];
  /** How many classes there are, where targets are classes. */
  readonly classes?: number;
}

/** The product of the sizes in a shape: how many numbers one example has. */
export function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function toValues(values: IdxValues): Values {
  if (values instanceof Uint8Array || values instanceof Int32Array || values instanceof Float32Array) return values;
  return values instanceof Float64Array ? Float32Array.from(values) : Int32Array.from(values);
}

/**
 * Inputs and labels that were read from two IDX files, as examples.
 *
 * @param inputs Any rank ≥ 1; images [N, H, W] get a channel axis: `shape` is `[H, W, 1]`.
 * @param labels One integer per input. `classes` becomes the largest label + 1.
 * @throws {DataArgumentError} If the two do not have the same number of rows, or labels are not integers ≥ 0.
 */
export function examplesFromIdx(inputs: IdxArray, labels: IdxArray): Examples {
  const [size = 0, ...rest] = inputs.shape;
  if (labels.shape.length !== 1 || labels.shape[0] !== size) {
    throw new DataArgumentError(
      `labels have shape [${labels.shape}], inputs [${inputs.shape}]. Pass [${size}] labels, one per input.`,
    );
  }
  const y = toValues(labels.values);
  let largest = -1;
  for (const label of y) {
    if (!Number.isInteger(label) || label < 0) {
      throw new DataArgumentError(`labels hold ${label}. Pass class numbers, integers from 0.`);
    }
    largest = Math.max(largest, label);
  }
  return {
    size,
    x: toValues(inputs.values),
    shape: rest.length === 2 ? [...rest, 1] : rest,
    y,
    targetShape: [],
    classes: largest + 1,
  };
}

function gather<T extends Values>(values: T, rows: Int32Array, width: number): T {
  const out = new (values.constructor as new (length: number) => T)(rows.length * width);
  for (let i = 0; i < rows.length; i++) out.set(values.subarray(rows[i]! * width, (rows[i]! + 1) * width), i * width);
  return out;
}

/**
 * The examples with the given row numbers, in that order, copied.
 *
 * @throws {DataArgumentError} If a row number is outside [0, size).
 */
export function takeRows<X extends Values, Y extends Values>(
  examples: Examples<X, Y>,
  rows: Int32Array,
): Examples<X, Y> {
  const stray = rows.find((row) => row < 0 || row >= examples.size);
  if (stray !== undefined) throw new DataArgumentError(`rows hold ${stray}. There are rows 0 to ${examples.size - 1}.`);
  return {
    ...examples,
    size: rows.length,
    x: gather(examples.x, rows, elements(examples.shape)),
    y: gather(examples.y, rows, elements(examples.targetShape)),
  };
}

/** How `subset` chooses. */
export interface SubsetOptions {
  readonly key: Key;
  /** As many of each class as there can be, up to rounding (needs class targets). Default: false. */
  readonly balanced?: boolean;
}

/**
 * A random subset of `size` examples, without repetition. Equal keys give equal subsets.
 *
 * @param size From 1 to `examples.size`.
 * @throws {DataArgumentError} If `size` is out of range or a class has too few examples for a balanced subset.
 */
export function subset<X extends Values, Y extends Values>(
  examples: Examples<X, Y>,
  size: number,
  options: SubsetOptions,
): Examples<X, Y> {
  checkCount('size', size);
  if (size > examples.size) throw new DataArgumentError(`size is ${size}, but there are ${examples.size} examples.`);
  const order = permutation(options.key, examples.size);
  if (options.balanced !== true) return takeRows(examples, order.subarray(0, size));
  const { classes } = examples;
  if (classes === undefined) throw new DataArgumentError('balanced needs class targets. Leave it out.');
  const left = Array.from({ length: classes }, (_, c) => Math.floor(size / classes) + (c < size % classes ? 1 : 0));
  const rows = order.filter((row) => left[examples.y[row]!]!-- > 0);
  if (rows.length < size) {
    const short = left.findIndex((count) => count > 0);
    throw new DataArgumentError(`class ${short} has too few examples for a balanced subset of ${size}. Ask for fewer.`);
  }
  return takeRows(examples, rows);
}

/** How `splitExamples` divides. */
export interface SplitOptions {
  /** Divides at random. Without a key the parts are consecutive, in order, and share memory with the whole. */
  readonly key?: Key;
}

/**
 * Divides examples into named, disjoint parts.
 *
 * `splitExamples(mnist.train, { train: 50_000, validation: 10_000 })`; one part may be `'rest'`.
 *
 * @param parts Sizes by name, in order.
 * @throws {DataArgumentError} If the parts need more examples than there are, or two are `'rest'`.
 */
export function splitExamples<X extends Values, Y extends Values, Name extends string>(
  examples: Examples<X, Y>,
  parts: Readonly<Record<Name, number | 'rest'>>,
  options: SplitOptions = {},
): Record<Name, Examples<X, Y>> {
  const entries = Object.entries(parts) as [Name, number | 'rest'][];
  const asked = entries.reduce((sum, [name, size]) => {
    if (size !== 'rest') checkCount(`parts.${name}`, size);
    return sum + (size === 'rest' ? 0 : size);
  }, 0);
  const rests = entries.filter(([, size]) => size === 'rest').length;
  if (rests > 1) throw new DataArgumentError(`${rests} parts are 'rest'. Give all but one a size.`);
  if (asked + rests > examples.size) {
    throw new DataArgumentError(`parts need ${asked + rests} examples or more, there are ${examples.size}.`);
  }
  const order = options.key === undefined ? undefined : permutation(options.key, examples.size);
  let from = 0;
  const divided = entries.map(([name, size]) => {
    const to = from + (size === 'rest' ? examples.size - asked : size);
    const part = order === undefined ? slice(examples, from, to) : takeRows(examples, order.subarray(from, to));
    from = to;
    return [name, part];
  });
  return Object.fromEntries(divided) as Record<Name, Examples<X, Y>>;
}

function slice<X extends Values, Y extends Values>(examples: Examples<X, Y>, from: number, to: number): Examples<X, Y> {
  const width = elements(examples.shape);
  const targetWidth = elements(examples.targetShape);
  return {
    ...examples,
    size: to - from,
    x: examples.x.subarray(from * width, to * width) as X,
    y: examples.y.subarray(from * targetWidth, to * targetWidth) as Y,
  };
}
