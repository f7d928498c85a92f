import { type Key, randomNormal, randomSigns, type StructuredLeaf } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';

/** What directions consist of: ±1, or standard normal numbers. */
export type NoiseKind = 'signs' | 'normal';

/** A gradient leaf: dense, or structured. */
export type GradientLeaf = tf.Tensor | StructuredLeaf;

/** K random directions at one parameter. */
export interface LeafNoise {
  /** Noise of K = 1 has the shape of the parameter, of more an axis K before it. */
  readonly tangent: tf.Tensor | StructuredLeaf;
  /** Σₖ coefficients[k] · vₖ; the caller owns it, and it survives `dispose`. */
  gradient(coefficients: tf.Tensor1D): GradientLeaf;
  /** vₖ · x for an x of the parameter's shape, [K]. */
  dot(x: tf.Tensor): tf.Tensor1D;
  /** vₐ · v_b, [K, K]. */
  gram(): tf.Tensor2D;
  /** p + factor · vₖ, a new tensor. */
  shifted(p: tf.Tensor, k: number, factor: number): tf.Tensor;
  dispose(): void;
}

/** Noise of a kind; equal keys give equal numbers. */
export function sampleNoise(kind: NoiseKind, key: Key, shape: readonly number[]): tf.Tensor {
  return kind === 'signs' ? randomSigns(key, shape) : randomNormal(key, shape);
}

/** The shape of what a tangent with K directions has. */
export function withDirections(shape: readonly number[], directions: number): number[] {
  return directions === 1 ? [...shape] : [directions, ...shape];
}
