import type { Context, Module, Tree } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { AnyModule } from './params.ts';

/** Names of the activations, as `activation` takes them. */
export type ActivationName =
  | 'relu'
  | 'relu6'
  | 'leakyRelu'
  | 'elu'
  | 'selu'
  | 'gelu'
  | 'geluExact'
  | 'silu'
  | 'tanh'
  | 'sigmoid'
  | 'softplus'
  | 'softmax'
  | 'linear';

/** Zero padding: none, so that the output is ⌈input ÷ stride⌉ large, or so many zeros on each side. */
export type Padding = 'valid' | 'same' | number;

type Pair = readonly [height: number, width: number];

/** A convolution; `outChannels` is per input channel where it is depthwise, and one-dimensional ones have height 1. */
export interface ConvSpec {
  readonly kind: 'conv1d' | 'conv2d' | 'depthwiseConv2d' | 'convTranspose2d';
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: Pair;
  readonly strides: Pair;
  readonly padding: Padding | 'causal';
  readonly dilation: Pair;
  readonly bias: boolean;
}

/** A pooling over windows; one-dimensional ones have height 1. */
export interface PoolSpec {
  readonly kind: 'maxPool2d' | 'avgPool2d' | 'maxPool1d' | 'avgPool1d';
  readonly poolSize: Pair;
  readonly strides: Pair;
  readonly padding: 'valid' | 'same';
}

/** A batch normalization. */
export interface BatchNormSpec {
  readonly kind: 'batchNorm';
  readonly features: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly unbiased: boolean;
  readonly affine: boolean;
}

/** A sum of two branches. */
export interface ResidualSpec {
  readonly kind: 'residual';
  readonly body: AnyModule;
  readonly shortcut: AnyModule | undefined;
}

/** What a module is, as data: enough to build it again elsewhere (converters, summaries, compaction). */
export type Spec =
  | { readonly kind: 'dense'; readonly inFeatures: number; readonly outFeatures: number; readonly bias: boolean }
  | ConvSpec
  | PoolSpec
  | { readonly kind: 'globalAvgPool' | 'globalMaxPool' | 'flatten' }
  | { readonly kind: 'activation'; readonly activation: ActivationName; readonly alpha?: number }
  | { readonly kind: 'embedding'; readonly count: number; readonly dim: number }
  | { readonly kind: 'layerNorm' | 'rmsNorm'; readonly features: number; readonly epsilon: number }
  | { readonly kind: 'groupNorm'; readonly features: number; readonly groups: number; readonly epsilon: number }
  | BatchNormSpec
  | { readonly kind: 'dropout'; readonly rate: number }
  | {
      readonly kind: 'attention';
      readonly dim: number;
      readonly heads: number;
      readonly kvHeads: number;
      readonly headSize: number;
      readonly causal: boolean;
    }
  | {
      readonly kind: 'wrap';
      readonly before: readonly AnyModule[];
      readonly module: AnyModule;
      readonly after: readonly AnyModule[];
    }
  | { readonly kind: 'sequential'; readonly children: readonly (readonly [name: string, module: AnyModule])[] }
  | ResidualSpec;

/** A module that says what it is. All layers of this package do. */
export interface Layer<P extends Tree> extends Module<P> {
  readonly spec: Spec;
  /** relu(apply(…)) in one kernel, for inference; its gradient would cost more than that of the two. */
  applyRelu?(params: P, input: tf.Tensor, ctx?: Context): tf.Tensor;
}

/** The spec of a module, or undefined where it does not say what it is. */
export function specOf(module: AnyModule): Spec | undefined {
  return (module as Partial<Layer<Tree>>).spec;
}
