import { foldIn, type Key } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../errors.ts';
import type { ProbeOptions } from '../problem.ts';
import { lanczos } from './lanczos.ts';
import type { SymmetricOperator } from './operators.ts';
import { tridiagonalEigen } from './tridiagonal.ts';
import { randomVector } from './vectors.ts';
import { watched } from './watched.ts';

/** Options of `spectralDensity`. */
export interface DensityOptions extends ProbeOptions {
  readonly key: Key;
  /** Lanczos steps from each start. Default 40. */
  readonly steps?: number;
  /** Random starts. Default 3. */
  readonly starts?: number;
}

/** Where the eigenvalues of an operator lie. */
export interface SpectralDensity {
  /** Nodes of the quadrature with their share of all eigenvalues; shares add up to 1. Ascending. */
  readonly nodes: readonly { readonly value: number; readonly share: number }[];
  readonly products: number;
  /** The density at some places, each node widened to a normal curve of standard deviation `width`; its integral is 1. */
  at(places: readonly number[], width: number): number[];
}

/** Stochastic Lanczos quadrature (arXiv 1610.04415 and others): the spectral density from a few random starts. */
export async function spectralDensity(operator: SymmetricOperator, options: DensityOptions): Promise<SpectralDensity> {
  const { key, steps = 40, starts = 3 } = options;
  checkNumber('steps', steps, { min: 2, integer: true });
  checkNumber('starts', starts, { min: 1, integer: true });
  const nodes: { value: number; share: number }[] = [];
  const matrix = watched(operator, options, 'density', starts * Math.min(steps, operator.size));
  let products = 0;
  for (let i = 0; i < starts; i++) {
    const start = randomVector(foldIn(key, i), operator.size, 'unit');
    const { diagonal, offDiagonal, basis } = await lanczos(matrix, start, steps);
    tf.dispose(basis);
    products += basis.length;
    const { values, vectors } = tridiagonalEigen(diagonal, offDiagonal);
    values.forEach((value, j) => {
      nodes.push({ value, share: vectors[j]![0]! ** 2 / starts });
    });
  }
  nodes.sort((a, b) => a.value - b.value);
  return {
    nodes,
    products,
    at(places, width) {
      checkNumber('width', width, { positive: true });
      const peak = 1 / (width * Math.sqrt(2 * Math.PI));
      return places.map((place) =>
        nodes.reduce(
          (sum, { value, share }) => sum + share * peak * Math.exp(-(((place - value) / width) ** 2) / 2),
          0,
        ),
      );
    },
  };
}
