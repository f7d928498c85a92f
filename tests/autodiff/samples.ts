import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { cases } from './cases/index.ts';
import { type Case, generator, numbers, type Program } from './program.ts';

/** How many random programs of each case: a sample, or with FRUGAL_DEEP all that were promised. */
export const runs: number = process.env.FRUGAL_DEEP ? 200 : 6;

/** A program with the numbers it runs on, drawn alike in every process. */
export interface Sample {
  readonly program: Program;
  readonly primals: number[][];
  readonly tangents: number[][];
}

export function samplesOf({ name, programs }: Case, count: number): Sample[] {
  const seed = [...name].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) | 0, 7);
  return fc.sample(programs, { numRuns: count, seed }).map((program, i) => {
    const random = generator(seed + 1000003 * i);
    return {
      program,
      primals: program.inputs.map((input) => numbers(input, random)),
      tangents: program.inputs.map(({ shape }) => numbers({ shape, domain: 'any' }, random)),
    };
  });
}

/** Tensors of a sample's numbers. */
export function tensors(sample: Sample, values: readonly (readonly number[])[]): tf.Tensor[] {
  return sample.program.inputs.map(({ shape }, i) => tf.tensor([...values[i]!], [...shape], 'float32'));
}

export { cases };
