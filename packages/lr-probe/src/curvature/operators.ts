import {
  type Context,
  hvp,
  linearize,
  type Tree,
  treeDispose,
  treeLeaves,
  treeSize,
  valueAndGrad,
  vjp,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ProbeLoss } from '../problem.ts';
import { flatten, unflatten } from './vectors.ts';

/** A symmetric matrix that is known by its products alone. */
export interface SymmetricOperator {
  /** Rows and columns. */
  readonly size: number;
  /** The matrix times a vector [n]; the caller owns both. */
  apply(vector: tf.Tensor1D): tf.Tensor1D;
  dispose(): void;
}

/** What a curvature is taken of: batches held by the caller, noise frozen by the context. */
export interface CurvatureOptions {
  /** Given to the loss on each batch. Default: training, with key 0. */
  readonly ctx?: Context;
}

const still: Context = { train: true, key: { hi: 0, lo: 0 } };

/** Examples in a batch: the first axis of its first tensor. */
const sizeOfBatch = (batch: unknown): number => treeLeaves(batch as Tree)[0]?.shape[0] ?? 1;

/** Σ weight · operator over the batches; weights are shares of the examples. */
function average(
  size: number,
  batches: readonly unknown[],
  make: (batch: never) => Omit<SymmetricOperator, 'size'>,
): SymmetricOperator {
  const total = batches.reduce<number>((sum, batch) => sum + sizeOfBatch(batch), 0);
  const parts = batches.map((batch) => make(batch as never));
  return {
    size,
    apply: (vector) =>
      tf.tidy(() => {
        const products = parts.map((part, i) => tf.mul(part.apply(vector), sizeOfBatch(batches[i]) / total));
        return (products.length === 1 ? products[0]! : tf.addN(products)) as tf.Tensor1D;
      }),
    dispose: () => {
      for (const part of parts) part.dispose();
    },
  };
}

/**
 * The Hessian of the mean loss at `params`: exact products, forward over reverse.
 *
 * The gradient is linearised once a batch, so that each product runs tangents only; that holds what the gradient computes.
 *
 * @param batches Stay the caller's, and must live as long as the operator.
 * @returns Free it with `dispose`.
 */
export function hessian<P extends Tree, B>(
  loss: ProbeLoss<P, B>,
  params: P,
  batches: readonly B[],
  { ctx = still }: CurvatureOptions = {},
): SymmetricOperator {
  return average(treeSize(params), batches, (batch: B) => {
    const gradient = valueAndGrad((p: P) => tf.mean(loss(p, batch, ctx)));
    const [grads, derivative] = linearize(
      (p: P) => {
        const [value, g] = gradient(p);
        value.dispose();
        return g;
      },
      [params],
    );
    treeDispose(grads);
    return {
      apply(vector) {
        const direction = unflatten(params, vector);
        const product = derivative([direction]);
        const flat = flatten(product);
        treeDispose([direction, product]);
        return flat;
      },
      dispose: () => derivative.dispose(),
    };
  });
}

/** A model and a loss on its output, for the Gauss–Newton matrix. */
export interface GaussNewtonParts<P extends Tree, B> {
  predict(params: P, batch: B, ctx: Context): tf.Tensor;
  /** One value per example, or one number. */
  loss(output: tf.Tensor, batch: B): tf.Tensor;
}

/**
 * The generalised Gauss–Newton matrix Jᵀ H_L J: the Hessian as if the model were linear; never negative for a convex loss.
 *
 * With softmax cross-entropy it is the Fisher matrix of the model's own predictions.
 */
export function gaussNewton<P extends Tree, B>(
  { predict, loss }: GaussNewtonParts<P, B>,
  params: P,
  batches: readonly B[],
  { ctx = still }: CurvatureOptions = {},
): SymmetricOperator {
  return average(treeSize(params), batches, (batch: B) => {
    const model = (p: P): tf.Tensor => predict(p, batch, ctx);
    const [output, jacobian] = linearize(model, [params]);
    const [again, pullback] = vjp(model, [params]);
    again.dispose();
    return {
      apply(vector) {
        const direction = unflatten(params, vector);
        const tangent = jacobian([direction]);
        const bent = hvp((o: tf.Tensor) => tf.mean(loss(o, batch)), output, tangent);
        const [product] = pullback(bent) as unknown as [Tree];
        const flat = flatten(product);
        treeDispose([direction, product]);
        tf.dispose([tangent, bent]);
        return flat;
      },
      dispose() {
        jacobian.dispose();
        pullback.dispose();
        output.dispose();
      },
    };
  });
}

/** The empirical Fisher matrix (1/B) Σ gᵢ gᵢᵀ of the gradients of single examples, for a loss that gives a value per example. */
export function empiricalFisher<P extends Tree, B>(
  loss: ProbeLoss<P, B>,
  params: P,
  batches: readonly B[],
  { ctx = still }: CurvatureOptions = {},
): SymmetricOperator {
  return average(treeSize(params), batches, (batch: B) => {
    const losses = (p: P): tf.Tensor => loss(p, batch, ctx);
    const [values, jacobian] = linearize(losses, [params]);
    const [again, pullback] = vjp(losses, [params]);
    const { size } = values;
    tf.dispose([values, again]);
    return {
      apply(vector) {
        const direction = unflatten(params, vector);
        const slopes = jacobian([direction]);
        const scaled = tf.div(slopes, size);
        const [product] = pullback(scaled) as unknown as [Tree];
        const flat = flatten(product);
        treeDispose([direction, product]);
        tf.dispose([slopes, scaled]);
        return flat;
      },
      dispose() {
        jacobian.dispose();
        pullback.dispose();
      },
    };
  });
}

/** D^½ A D^½ for a positive diagonal D: the same eigenvalues as D A, and symmetric. `operator` is taken over. */
export function preconditioned(operator: SymmetricOperator, diagonal: Tree): SymmetricOperator {
  const root = tf.tidy(() => tf.keep(tf.sqrt(flatten(diagonal))));
  return {
    size: operator.size,
    apply: (vector) => tf.tidy(() => tf.mul(root, operator.apply(tf.mul(root, vector) as tf.Tensor1D)) as tf.Tensor1D),
    dispose() {
      root.dispose();
      operator.dispose();
    },
  };
}

/** What Adam's second moments are worth at a step. */
export interface AdamPreconditionerOptions {
  /** Updates made so far, at least 1. */
  readonly step: number;
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
}

/**
 * Adam's preconditioner as a diagonal: 1 / ((1 − β₁ᵗ) (√v̂ + ε)) (arXiv 2207.14484), for `preconditioned`.
 *
 * @param v Second moments, in the structure of the parameters.
 * @returns In the same structure; the caller owns it.
 */
export function adamPreconditioner<P extends Tree>(v: P, options: AdamPreconditionerOptions): P {
  const { step, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  const flat = tf.tidy(() => {
    const root = tf.sqrt(tf.div(flatten(v), 1 - beta2 ** step));
    return tf.div(1 / (1 - beta1 ** step), tf.add(root, epsilon)) as tf.Tensor1D;
  });
  const tree = unflatten(v, flat);
  flat.dispose();
  return tree;
}
