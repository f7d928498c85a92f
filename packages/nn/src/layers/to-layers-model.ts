import { FrugalError, type Module, type State, type Tree } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import type { AnyModule } from '../params.ts';
import { type Chain, convert, hasBranches } from './convert.ts';
import { fromLayersModel, type LayersModule } from './from-layers-model.ts';
import type { LayersParams } from './variables.ts';

/** Options of `toLayersModel`. */
export interface ToLayersModelOptions {
  /** Shape of one example, e.g. `[28, 28, 1]`; null where it may vary. Needed unless the module came from a model. */
  inputShape?: readonly (number | null)[];
  /** Default `'float32'`; `'int32'` for ids. */
  inputType?: 'float32' | 'int32';
  /** Where batch norms find their running statistics. Default: means 0 and variances 1, or the original model's. */
  state?: State;
}

/**
 * A tfjs `LayersModel` that computes at inference what `module` does with `params`; copies everything.
 *
 * What came from `fromLayersModel` goes back to the same topology with the same names. Otherwise the layers of this
 * package are translated: dense, convolutions, pooling, activations, embedding, layer and batch norm, dropout, `wrap`,
 * `sequential`, `residual`. A module without `residual` becomes a `Sequential`. Compile the model anew to train it.
 *
 * @throws {FrugalError} Naming the module that has no counterpart among tfjs's layers.
 */
export async function toLayersModel<P extends Tree>(
  module: Module<P>,
  params: P,
  options: ToLayersModelOptions = {},
): Promise<tfl.LayersModel> {
  if (isLayersModule(module)) return copyModel(module, params as unknown as LayersParams, options.state);
  const { inputShape, inputType: dtype = 'float32', state } = options;
  if (inputShape === undefined) {
    throw new FrugalError(
      'BAD_OPTION',
      "toLayersModel: pass 'inputShape', the shape of one example without its batch.",
    );
  }
  const plain = module as unknown as AnyModule;
  if (hasBranches(plain)) return functionalModel(plain, params, tfl.input({ shape: [...inputShape], dtype }), state);
  return sequentialModel(plain, params, tfl.layers.inputLayer({ inputShape: [...inputShape], dtype }), state);
}

function sequentialModel(
  module: AnyModule,
  params: Tree,
  input: tfl.layers.Layer,
  state: State | undefined,
): tfl.Sequential {
  const model = tfl.sequential({ layers: [input] });
  convert(module, params, '', {
    state,
    shape: () => model.outputs[0]!.shape,
    add: (layer, weights = []) => {
      model.add(layer);
      setWeights(layer, weights);
    },
    sum: () => {
      throw new Error('A sequential model has no branches.');
    },
  });
  return model;
}

function functionalModel(
  module: AnyModule,
  params: Tree,
  input: tfl.SymbolicTensor,
  state: State | undefined,
): tfl.LayersModel {
  let end = input;
  const chain: Chain = {
    state,
    shape: () => end.shape,
    add: (layer, weights = []) => {
      end = layer.apply(end) as tfl.SymbolicTensor;
      setWeights(layer, weights);
    },
    sum: (left, right) => {
      const start = end;
      left();
      const leftEnd = end;
      end = start;
      right();
      end = tfl.layers.add().apply([leftEnd, end]) as tfl.SymbolicTensor;
    },
  };
  convert(module, params, '', chain);
  return tfl.model({ inputs: input, outputs: end });
}

function setWeights(layer: tfl.layers.Layer, weights: readonly tf.Tensor[]): void {
  if (weights.length > 0) layer.setWeights([...weights]);
}

function isLayersModule(module: unknown): module is LayersModule {
  const { model, assign } = module as Partial<LayersModule>;
  return typeof assign === 'function' && typeof model?.toJSON === 'function';
}

async function copyModel(module: LayersModule, params: LayersParams, state?: State): Promise<tfl.LayersModel> {
  const modelTopology = module.model.toJSON(undefined, false) as { [name: string]: never };
  const copy = await tfl.models.modelFromJSON({ modelTopology } as Parameters<typeof tfl.models.modelFromJSON>[0]);
  copy.setWeights(module.model.getWeights());
  const statistics = Object.keys(module.statistics()).map((path) => [path, state?.get(path)] as const);
  fromLayersModel(copy, { staged: false }).assign(
    params,
    Object.fromEntries(statistics.filter((entry): entry is [string, tf.Tensor] => entry[1] !== undefined)),
  );
  return copy;
}
