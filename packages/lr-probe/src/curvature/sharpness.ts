import { type Tree, treeDispose, treeMaterialize } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../errors.ts';
import type { ProbeCost, ProbeOptions, Problem } from '../problem.ts';
import { onScene, read } from '../scene.ts';
import { type Eigenpairs, topEigenpairs } from './lanczos.ts';
import { hessian, preconditioned } from './operators.ts';
import { flatten } from './vectors.ts';

/** Options of `sharpness`. */
export interface SharpnessOptions extends ProbeOptions {
  /** Eigenvalues to find. Default 1. */
  readonly count?: number;
  /** Examples that the loss is taken on. Default: one batch. */
  readonly examples?: number;
  /** A positive diagonal in the structure of the parameters, e.g. `adamPreconditioner(…)`: the sharpness that Adam feels. */
  readonly preconditioner?: Tree;
  /** Residual ÷ largest |eigenvalue|. Default 1e-3. */
  readonly tolerance?: number;
  /** Hessian-vector products at most. Default 100. */
  readonly limit?: number;
  /** A guess at the first eigenvector [n]; stays the caller's. */
  readonly start?: tf.Tensor1D;
}

/** The largest eigenvalues of the (preconditioned) Hessian of a problem's loss, by exact products; dispose `vectors`. */
export async function sharpness<P extends Tree, B>(
  problem: Problem<P, B>,
  options: SharpnessOptions = {},
): Promise<Eigenpairs & { readonly sharpness: number }> {
  const { examples, preconditioner, tolerance = 1e-3, ...rest } = options;
  return onScene(problem, options, async (scene) => {
    const batches = examples === undefined ? [await scene.batch(0)] : await scene.batchesOf(examples);
    const state = scene.state();
    const ctx = { train: true, key: scene.stepKey(0), state };
    const plain = hessian(problem.loss, problem.params, batches, { ctx });
    state.dispose();
    const operator = preconditioner === undefined ? plain : preconditioned(plain, preconditioner);
    try {
      const found = await topEigenpairs(operator, { ...rest, tolerance, key: scene.key });
      return { ...found, sharpness: found.values[0]! };
    } finally {
      operator.dispose();
    }
  });
}

/** Options of `batchSharpness`. */
export interface BatchSharpnessOptions extends ProbeOptions {
  /** Batches that are averaged over. Default 8. */
  readonly batches?: number;
}

/**
 * Batch sharpness (arXiv 2412.20553): gᵀHg / |g|² of each batch, its own Hessian along its own gradient, averaged over batches.
 *
 * What mini-batch SGD brings to 2/η while the sharpness of the whole loss stays below.
 */
export async function batchSharpness<P extends Tree, B>(
  problem: Problem<P, B>,
  options: BatchSharpnessOptions = {},
): Promise<{ readonly mean: number; readonly values: readonly number[]; readonly cost: ProbeCost }> {
  const { batches = 8 } = options;
  checkNumber('batches', batches, { min: 1, integer: true });
  return onScene(problem, options, async (scene) => {
    const values: number[] = [];
    for (let i = 0; i < batches; i++) {
      const batch = await scene.batch(i);
      const state = scene.state();
      try {
        const { loss, grads } = scene.gradient(problem.params, batch, i, state);
        const dense = treeMaterialize(grads);
        treeDispose([loss, grads] as Tree);
        const gradient = flatten(dense);
        treeDispose(dense);
        const ctx = { train: true, key: scene.stepKey(i), state };
        const operator = hessian(problem.loss, problem.params, [batch], { ctx });
        const value = tf.tidy(() => tf.div(tf.dot(gradient, operator.apply(gradient)), tf.sum(tf.square(gradient))));
        operator.dispose();
        gradient.dispose();
        values.push(await read(value));
      } finally {
        state.dispose();
      }
      scene.tell({ probe: 'batchSharpness', done: i + 1, total: batches });
    }
    return { mean: values.reduce((sum, value) => sum + value, 0) / batches, values, cost: scene.cost };
  });
}
