import { FrugalError, type Module } from '@frugal/tensor';
import { activation as activate } from '../activations.ts';
import { type DenseParams, dense } from '../dense.ts';
import { dropout } from '../dropout.ts';
import { heNormal, type Initializer, lecunNormal } from '../initializers.ts';
import type { NoParams } from '../params.ts';
import { flatten } from '../pool.ts';
import { type Sequential, sequential } from '../sequential.ts';
import type { ActivationName, Layer } from '../spec.ts';
import { wrap } from '../wrap.ts';

/** Options of `mlp` and `lenet300`. */
export interface MlpOptions {
  /** After each layer but the last. Default `'relu'`. */
  activation?: ActivationName;
  /** Share of the hidden values dropped in training. Default 0. */
  dropout?: number;
  /** Of the hidden layers. Default `heNormal()`. */
  weightInit?: Initializer;
  /** Of the last layer. Default `lecunNormal()`. */
  headInit?: Initializer;
}

/**
 * A multi-layer perceptron: [B, …] → [B, last size]; the input is flattened. One stage per dense layer.
 *
 * @param sizes Features of the input, of each hidden layer and of the output, e.g. `[784, 1024, 1024, 10]`.
 */
export function mlp(sizes: readonly number[], options: MlpOptions = {}): Sequential<readonly Layer<DenseParams>[]> {
  if (sizes.length < 2) {
    throw new FrugalError('BAD_OPTION', `mlp: sizes are those of input, hidden layers and output, got [${sizes}].`);
  }
  return sequential(sizes.slice(1).map((_, i) => mlpLayer(sizes, i, options)));
}

/** The parameters of `lenet300`. */
export type Lenet300 = Sequential<{ fc1: Layer<DenseParams>; fc2: Layer<DenseParams>; fc3: Layer<DenseParams> }>;

/** LeNet-300-100, the fully connected net of the pruning papers: [B, 784] or [B, 28, 28, 1] → [B, classes]. */
export function lenet300(options: MlpOptions & { classes?: number } = {}): Lenet300 {
  const sizes = [784, 300, 100, options.classes ?? 10];
  const layer = (i: number): Layer<DenseParams> => mlpLayer(sizes, i, options);
  return sequential({ fc1: layer(0), fc2: layer(1), fc3: layer(2) });
}

function mlpLayer(sizes: readonly number[], i: number, options: MlpOptions): Layer<DenseParams> {
  const { activation = 'relu', dropout: rate = 0, weightInit = heNormal(), headInit = lecunNormal() } = options;
  const last = i === sizes.length - 2;
  const before = i === 0 ? [flatten()] : [];
  const after: Module<NoParams>[] = last ? [] : [activate(activation), ...(rate > 0 ? [dropout(rate)] : [])];
  return wrap(dense(sizes[i]!, sizes[i + 1]!, { weightInit: last ? headInit : weightInit }), { before, after });
}
