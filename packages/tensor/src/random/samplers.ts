import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import { KernelName } from '../kernels/names.ts';
import { hasKernel, runKernel } from '../kernels/run.ts';
import type { Key } from '../seams/index.ts';
import { fillBits, fillNormal, fillSigns, fillUniform } from './fill.ts';
import { fillIntegers } from './integers.ts';

/** Where in a key's stream a tensor begins. */
export interface StreamOptions {
  /** Index of the first element. Default 0. */
  readonly offset?: number;
}

/** Options of `randomUniform`. */
export interface RandomUniformOptions extends StreamOptions {
  /** Default 0. */
  readonly min?: number;
  /** Default 1. */
  readonly max?: number;
}

/** Options of `randomNormal`. */
export interface RandomNormalOptions extends StreamOptions {
  /** Default 0. */
  readonly mean?: number;
  /** Standard deviation. Default 1. */
  readonly sd?: number;
}

/** Options of `randomIntegers`. */
export interface RandomIntegersOptions {
  /** Default 0. */
  readonly min?: number;
  /** Not included. */
  readonly max: number;
}

function sizeOf(shape: readonly number[]): number {
  const bad = shape.find((size) => !Number.isSafeInteger(size) || size < 0);
  if (bad !== undefined) {
    throw new FrugalError('BAD_ARGUMENT', `shape must consist of integers of at least 0, got [${shape}].`);
  }
  return shape.reduce((product, size) => product * size, 1);
}

function checkOffset(offset: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0) return;
  throw new FrugalError('BAD_ARGUMENT', `offset must be an integer in [0, 2^53), got ${offset}.`);
}

function checkFinite(numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isFinite(value))
      throw new FrugalError('BAD_ARGUMENT', `${name} must be a finite number, got ${value}.`);
  }
}

/** On the device where the backend can, otherwise on the host. */
function sample(
  name: KernelName,
  key: Key,
  shape: readonly number[],
  offset: number,
  onHost: (size: number) => Int32Array | Float32Array,
): tf.Tensor {
  const size = sizeOf(shape);
  checkOffset(offset);
  if (size > 0 && hasKernel(name)) {
    return runKernel(name, {}, { hi: key.hi, lo: key.lo, offset, shape: [...shape] })[0]!;
  }
  const values = onHost(size);
  return tf.tensor(values, [...shape], values instanceof Int32Array ? 'int32' : 'float32');
}

/**
 * Random bits: all 2³² int32 values are equally likely.
 *
 * The bits are the same on every backend and machine (docs/random.md).
 *
 * @param key One key, one use.
 * @param shape Of the tensor, int32.
 * @throws {FrugalError} `BAD_ARGUMENT` for a bad shape or offset.
 */
export function randomBits(key: Key, shape: readonly number[], options: StreamOptions = {}): tf.Tensor {
  const { offset = 0 } = options;
  return sample(KernelName.RandomBits, key, shape, offset, (size) => {
    const out = new Int32Array(size);
    fillBits(key, out, offset);
    return out;
  });
}

/**
 * Uniform numbers, multiples of 2⁻²⁴ in [0, 1), scaled to [min, max]; by rounding `max` itself may occur.
 *
 * The bits are the same on every backend and machine (docs/random.md), with `min` and `max` on every host.
 *
 * @param key One key, one use.
 * @param shape Of the tensor, float32.
 * @throws {FrugalError} `BAD_ARGUMENT` for a bad shape, offset or bound.
 */
export function randomUniform(key: Key, shape: readonly number[], options: RandomUniformOptions = {}): tf.Tensor {
  const { offset = 0, min = 0, max = 1 } = options;
  checkFinite({ min, max });
  return affine(min, max - min, () =>
    sample(KernelName.RandomUniform, key, shape, offset, (size) => {
      const out = new Float32Array(size);
      fillUniform(key, out, offset);
      return out;
    }),
  );
}

/**
 * Normal numbers, mean + sd · z.
 *
 * Equal on every host, within 1e-6 · (1 + |z|) on GPUs; |z| ≤ 5.77 (docs/random.md).
 *
 * @param key One key, one use.
 * @param shape Of the tensor, float32.
 * @throws {FrugalError} `BAD_ARGUMENT` for a bad shape, offset or parameter.
 */
export function randomNormal(key: Key, shape: readonly number[], options: RandomNormalOptions = {}): tf.Tensor {
  const { offset = 0, mean = 0, sd = 1 } = options;
  checkFinite({ mean, sd });
  return affine(mean, sd, () =>
    sample(KernelName.RandomNormal, key, shape, offset, (size) => {
      const out = new Float32Array(size);
      fillNormal(key, out, offset);
      return out;
    }),
  );
}

/**
 * Signs: −1 or +1, equally likely (Rademacher), one random bit each.
 *
 * The bits are the same on every backend and machine (docs/random.md).
 *
 * @param key One key, one use.
 * @param shape Of the tensor, float32.
 * @throws {FrugalError} `BAD_ARGUMENT` for a bad shape or offset.
 */
export function randomSigns(key: Key, shape: readonly number[], options: StreamOptions = {}): tf.Tensor {
  const { offset = 0 } = options;
  return sample(KernelName.RandomSigns, key, shape, offset, (size) => {
    const out = new Float32Array(size);
    fillSigns(key, out, offset);
    return out;
  });
}

/**
 * Integers in [min, max), equally likely to within 2⁻³².
 *
 * The same on every backend and machine (docs/random.md).
 *
 * @param key One key, one use.
 * @param shape Of the tensor, int32.
 * @throws {FrugalError} `BAD_ARGUMENT` for a bad shape, or bounds that are no int32 range.
 */
export function randomIntegers(key: Key, shape: readonly number[], options: RandomIntegersOptions): tf.Tensor {
  const out = new Int32Array(sizeOf(shape));
  fillIntegers(key, out, options.min ?? 0, options.max);
  return tf.tensor(out, [...shape], 'int32');
}

/** offset + factor · x, in two rounded steps. */
function affine(offset: number, factor: number, make: () => tf.Tensor): tf.Tensor {
  if (offset === 0 && factor === 1) return make();
  return tf.tidy(() => {
    const x = factor === 1 ? make() : tf.mul(make(), factor);
    return offset === 0 ? x : tf.add(x, offset);
  });
}
