import { FrugalError, type State } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { batchNormPaths } from '../batch-norm.ts';
import type { ActivationName, BatchNormSpec, ConvSpec, PoolSpec, Spec } from '../spec.ts';

/** A tfjs layer and the values of its weights, in its own order. */
export interface Translated {
  readonly layer: tfl.layers.Layer;
  readonly weights?: readonly tf.Tensor[];
}

/** Where a module stands when it is translated. */
export interface Place {
  readonly path: string;
  /** Rank of the input, with the batch. */
  readonly rank: number;
  readonly state: State | undefined;
}

/** The name of an activation among tfjs's; leakyRelu is a layer there. */
const activations: Readonly<Record<Exclude<ActivationName, 'leakyRelu'>, string>> = {
  relu: 'relu',
  relu6: 'relu6',
  elu: 'elu',
  selu: 'selu',
  gelu: 'gelu_new',
  geluExact: 'gelu',
  silu: 'swish',
  tanh: 'tanh',
  sigmoid: 'sigmoid',
  softplus: 'softplus',
  softmax: 'softmax',
  linear: 'linear',
};

/** Throws that something cannot be translated. */
export function refuse(path: string, what: string): never {
  const where = path === '' ? '' : ` at '${path}'`;
  throw new FrugalError(
    'NOT_CONVERTIBLE',
    `toLayersModel: ${what}${where} has no counterpart among tfjs's layers. Save the parameters as safetensors instead.`,
  );
}

const named = (path: string): { name?: string } => (path === '' ? {} : { name: path });

/** The tfjs layers that compute what a module without children does. Call it inside a tidy. */
export function translate(spec: Spec, params: Readonly<Record<string, tf.Tensor>>, place: Place): Translated[] {
  const { path, rank } = place;
  const weights = [params['weight'], params['bias']].filter((tensor) => tensor !== undefined);
  const name = named(path);
  switch (spec.kind) {
    case 'dense':
      return [{ layer: tfl.layers.dense({ units: spec.outFeatures, useBias: spec.bias, ...name }), weights }];
    case 'conv1d':
    case 'conv2d':
    case 'depthwiseConv2d':
    case 'convTranspose2d':
      return translateConv(spec, weights, path);
    case 'maxPool1d':
    case 'avgPool1d':
    case 'maxPool2d':
    case 'avgPool2d':
      return [{ layer: translatePool(spec) }];
    case 'globalAvgPool':
    case 'globalMaxPool':
      return [{ layer: translateGlobalPool(spec.kind, rank, path) }];
    case 'flatten':
      return [{ layer: tfl.layers.flatten() }];
    case 'activation':
      if (spec.activation === 'leakyRelu') return [{ layer: tfl.layers.leakyReLU({ alpha: spec.alpha ?? 0.01 }) }];
      return [{ layer: tfl.layers.activation({ activation: activations[spec.activation] as 'relu' }) }];
    case 'embedding':
      return [{ layer: tfl.layers.embedding({ inputDim: spec.count, outputDim: spec.dim, ...name }), weights }];
    case 'layerNorm':
      return [{ layer: tfl.layers.layerNormalization({ epsilon: spec.epsilon, ...name }), weights }];
    case 'batchNorm':
      return [translateBatchNorm(spec, weights, place)];
    case 'dropout':
      return [{ layer: tfl.layers.dropout({ rate: spec.rate }) }];
    default:
      return refuse(path, spec.kind);
  }
}

function translateConv(spec: ConvSpec, weights: readonly tf.Tensor[], path: string): Translated[] {
  const { kind, outChannels: filters, bias: useBias, padding: pad } = spec;
  const [kernelSize, strides] = [[...spec.kernelSize] as [number, number], [...spec.strides] as [number, number]];
  const zeros = typeof pad === 'number' ? pad : 0;
  if (pad === 'causal' || (zeros > 0 && (kind === 'conv1d' || kind === 'convTranspose2d'))) {
    return refuse(path, `${kind} with padding ${pad}`);
  }
  const before = zeros > 0 ? [{ layer: tfl.layers.zeroPadding2d({ padding: zeros }) }] : [];
  const common = { padding: pad === 'same' ? 'same' : 'valid', useBias, ...named(path) } as const;
  const sized = { ...common, kernelSize, strides };
  const dilated = { ...sized, dilationRate: [...spec.dilation] as unknown as [number] };
  const make = (): tfl.layers.Layer => {
    if (kind === 'conv2d') return tfl.layers.conv2d({ ...dilated, filters });
    if (kind === 'depthwiseConv2d') return tfl.layers.depthwiseConv2d({ ...dilated, depthMultiplier: filters });
    if (kind === 'convTranspose2d') return tfl.layers.conv2dTranspose({ ...sized, filters });
    const flat = { kernelSize: kernelSize[1], strides: strides[1], dilationRate: spec.dilation[1] };
    return tfl.layers.conv1d({ ...common, ...flat, filters });
  };
  return [...before, { layer: make(), weights }];
}

function translatePool(spec: PoolSpec): tfl.layers.Layer {
  const { padding } = spec;
  const [poolSize, strides] = [[...spec.poolSize] as [number, number], [...spec.strides] as [number, number]];
  const flat = { poolSize: poolSize[1], strides: strides[1], padding };
  switch (spec.kind) {
    case 'maxPool1d':
      return tfl.layers.maxPooling1d(flat);
    case 'avgPool1d':
      return tfl.layers.averagePooling1d(flat);
    case 'maxPool2d':
      return tfl.layers.maxPooling2d({ poolSize, strides, padding });
    case 'avgPool2d':
      return tfl.layers.averagePooling2d({ poolSize, strides, padding });
  }
}

function translateGlobalPool(kind: 'globalAvgPool' | 'globalMaxPool', rank: number, path: string): tfl.layers.Layer {
  const max = kind === 'globalMaxPool';
  if (rank === 3) return max ? tfl.layers.globalMaxPooling1d() : tfl.layers.globalAveragePooling1d();
  if (rank === 4) return max ? tfl.layers.globalMaxPooling2d({}) : tfl.layers.globalAveragePooling2d({});
  return refuse(path, `${kind} of rank ${rank}`);
}

/** Keras counts momentum the other way round, and keeps plain batch variances: the same at inference, not in training. */
function translateBatchNorm(spec: BatchNormSpec, weights: readonly tf.Tensor[], place: Place): Translated {
  const { features, epsilon, momentum, affine } = spec;
  const paths = batchNormPaths(place.path);
  const mean = place.state?.get(paths.mean) ?? tf.zeros([features]);
  const variance = place.state?.get(paths.variance) ?? tf.ones([features]);
  const options = { epsilon, momentum: 1 - momentum, scale: affine, center: affine, ...named(place.path) };
  return { layer: tfl.layers.batchNormalization(options), weights: [...weights, mean, variance] };
}
