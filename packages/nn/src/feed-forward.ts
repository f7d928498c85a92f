import { foldIn, type Module, type Tree } from '@frugal/tensor';
import { activation as activate } from './activations.ts';
import { applyChild, childContext, runSteps } from './context.ts';
import { type DenseParams, dense } from './dense.ts';
import { drop } from './dropout.ts';
import type { Initializer } from './initializers.ts';
import type { ActivationName } from './spec.ts';

/** Parameters of `feedForward`. */
export type FeedForwardParams<L extends Tree = DenseParams> = { readonly fc1: L; readonly fc2: L };

/** Options of `feedForward`. */
export interface FeedForwardOptions<L extends Tree = DenseParams> {
  /** Default `'gelu'`. */
  activation?: ActivationName;
  /** Share of the hidden values dropped in training. Default 0. */
  dropout?: number;
  /** Makes the two layers, by name `'fc1'` and `'fc2'`. Default `dense`. */
  linear?: (inFeatures: number, outFeatures: number, name: 'fc1' | 'fc2') => Module<L>;
  /** Of the default layers. */
  weightInit?: Initializer;
  /** Of the second layer. Default: `weightInit`. */
  projInit?: Initializer;
}

/** The two-layer network of a transformer block: fc2(activation(fc1(x))), […, dim] → […, dim]; taps see `act`. */
export function feedForward<L extends Tree = DenseParams>(
  dim: number,
  hidden: number,
  options: FeedForwardOptions<L> = {},
): Module<FeedForwardParams<L>> {
  const { activation = 'gelu', dropout: rate = 0, weightInit, projInit = weightInit } = options;
  const make =
    options.linear ??
    ((inFeatures: number, outFeatures: number, name: string) => {
      const init = name === 'fc2' ? projInit : weightInit;
      return dense(inFeatures, outFeatures, init && { weightInit: init }) as unknown as Module<L>;
    });
  const [fc1, act, fc2] = [make(dim, hidden, 'fc1'), activate(activation), make(hidden, dim, 'fc2')];
  return {
    init: (key) => ({ fc1: fc1.init(foldIn(key, 0)), fc2: fc2.init(foldIn(key, 1)) }),
    apply: (params, x, ctx) =>
      runSteps(x, [
        (h) => applyChild(fc1, params.fc1, h, ctx, 'fc1', 0),
        (h) => applyChild(act, {}, h, ctx, 'act', 2),
        ...(rate > 0 ? [(h: typeof x) => drop(h, rate, childContext(ctx, '', 3))] : []),
        (h) => applyChild(fc2, params.fc2, h, ctx, 'fc2', 1),
      ]),
  };
}
