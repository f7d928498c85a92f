import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';

/** From where random inputs are drawn, so that no kink or pole is near. */
export type Domain =
  /** ±[0.1, 1.5] */
  | 'any'
  /** [0.2, 2] */
  | 'positive'
  /** ±[0.05, 0.85] */
  | 'unit'
  /** [1.2, 3] */
  | 'aboveOne'
  /** Any two differ by at least 0.05, none is near 0. */
  | 'distinct'
  /** Integers [0, 10). */
  | 'integers';

export interface Input {
  readonly shape: readonly number[];
  readonly domain: Domain;
}

/** A random program: inputs to draw, and what to compute from them. */
export interface Program {
  readonly label: string;
  readonly inputs: readonly Input[];
  run(...xs: tf.Tensor[]): tf.Tensor | readonly tf.Tensor[];
}

/** A family of programs that goes through certain kernels. */
export interface Case {
  readonly name: string;
  /** The kernels whose rules it exercises. */
  readonly kernels: readonly string[];
  readonly programs: fc.Arbitrary<Program>;
  /** Why tfjs's own gradient is no reference here, if it is not. */
  readonly noVjp?: string | undefined;
  /** Stock kernels that compute something else or write out of bounds, by backend: skipped there, with the reason. */
  readonly faulty?: Readonly<Record<string, string>> | undefined;
  /** How well central differences in float64 agree, where tfjs approximates. */
  readonly tolerance?: number | undefined;
}

/** A small generator of its own, so that both processes draw the same numbers (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

function draw(domain: Domain, random: () => number): number {
  const sign = random() < 0.5 ? -1 : 1;
  switch (domain) {
    case 'positive':
      return 0.2 + 1.8 * random();
    case 'unit':
      return sign * (0.05 + 0.8 * random());
    case 'aboveOne':
      return 1.2 + 1.8 * random();
    case 'integers':
      return Math.floor(10 * random());
    default:
      return sign * (0.1 + 1.4 * random());
  }
}

/** Numbers that are the same in float32 and float64. */
export function numbers({ shape, domain }: Input, random: () => number): number[] {
  const size = shape.reduce((n, extent) => n * extent, 1);
  if (domain !== 'distinct') return Array.from({ length: size }, () => Math.fround(draw(domain, random)));
  const steps = Array.from({ length: size }, (_, i) => (i - size / 2 + 0.25) * 0.1);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor((i + 1) * random());
    [steps[i], steps[j]] = [steps[j]!, steps[i]!];
  }
  return steps.map((x) => Math.fround(x + 0.04 * (random() - 0.5)));
}

/** The results of a program as a list. */
export function results(program: Program, xs: readonly tf.Tensor[]): readonly tf.Tensor[] {
  const out = program.run(...xs);
  return out instanceof tf.Tensor ? [out] : out;
}

export const dim: fc.Arbitrary<number> = fc.integer({ min: 1, max: 4 });

/** Shapes of a rank. */
export function shapes(minRank: number, maxRank: number): fc.Arbitrary<number[]> {
  return fc.array(dim, { minLength: minRank, maxLength: maxRank });
}

/** Subsets of the axes of a shape, at least one. */
export function someAxes(rank: number): fc.Arbitrary<number[]> {
  return fc.subarray([...Array(rank).keys()], { minLength: 1 });
}

/** Runs a kernel by name, for those that no op runs as they are. */
export function kernel(name: string, inputs: object, attrs: object = {}): tf.Tensor {
  return tf.engine().runKernel(name, inputs as never, attrs as never);
}

/** A program of inputs that each have a domain of their own. */
export function drawn(
  label: string,
  inputs: readonly (readonly [readonly number[], Domain])[],
  run: Program['run'],
): Program {
  return { label, inputs: inputs.map(([shape, domain]) => ({ shape, domain })), run };
}

export function define(
  name: string,
  kernels: readonly string[],
  programs: fc.Arbitrary<Program>,
  rest: Pick<Case, 'noVjp' | 'tolerance' | 'faulty'> = {},
): Case {
  return { name, kernels, programs, ...rest };
}
