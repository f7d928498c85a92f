import { fillIntegers, fillNormal, fillUniform, type Key, randomPermutation } from '@frugal/tensor';

/** `length` uniform numbers in [0, 1). */
export function uniforms(key: Key, length: number): Float32Array {
  const out = new Float32Array(length);
  fillUniform(key, out);
  return out;
}

/** `length` standard normal numbers. */
export function normals(key: Key, length: number): Float32Array {
  const out = new Float32Array(length);
  fillNormal(key, out);
  return out;
}

/** One integer in [0, below). */
export function integer(key: Key, below: number): number {
  const out = new Int32Array(1);
  fillIntegers(key, out, 0, below);
  return out[0]!;
}

/** A random order of 0 … n − 1, as row numbers. */
export function permutation(key: Key, n: number): Int32Array {
  return new Int32Array(randomPermutation(key, n).buffer as ArrayBuffer);
}
