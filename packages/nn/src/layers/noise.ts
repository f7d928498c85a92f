import { type Context, foldIn, randomNormal, randomUniform } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { joinPath } from '../context.ts';
import { drop, needKey } from '../dropout.ts';
import type { LayerCall, LayerInternals } from './internals.ts';

const only = (inputs: tf.Tensor | tf.Tensor[]): tf.Tensor => (Array.isArray(inputs) ? inputs[0]! : inputs);

/** Contexts for the uses of one layer: each use has a key of its own, the path stays. */
type Uses = () => Context;

const calls: Record<string, (layer: LayerInternals, uses: Uses) => LayerCall> = {
  Dropout: (layer, uses) => (inputs) => {
    const x = only(inputs);
    return drop(x, layer.rate!, uses(), layer.getNoiseShape?.(x) ?? x.shape);
  },
  GaussianNoise: (layer, uses) => (inputs) => {
    const x = only(inputs);
    return tf.tidy(() => tf.add(x, randomNormal(needKey('GaussianNoise', uses()), x.shape, { sd: layer.stddev! })));
  },
  GaussianDropout: (layer, uses) => (inputs) => {
    const [x, rate] = [only(inputs), layer.rate!];
    const sd = Math.sqrt(rate / (1 - rate));
    if (!(sd > 0)) return x.clone();
    return tf.tidy(() => tf.mul(x, randomNormal(needKey('GaussianDropout', uses()), x.shape, { mean: 1, sd })));
  },
  // Keeps mean and variance for SELU: what is dropped becomes SELU's negative limit (arXiv 1706.02515).
  AlphaDropout: (layer, uses) => (inputs) => {
    const [x, rate] = [only(inputs), layer.rate!];
    if (!(rate > 0)) return x.clone();
    const limit = -1.6732632423543772 * 1.0507009873554805;
    const a = ((1 - rate) * (1 + rate * limit ** 2)) ** -0.5;
    return tf.tidy(() => {
      const uniform = randomUniform(needKey('AlphaDropout', uses()), layer.noiseShape ?? x.shape);
      const kept = tf.cast(tf.greaterEqual(uniform, rate), 'float32');
      const mixed = tf.add(tf.mul(x, kept), tf.mul(tf.sub(1, kept), limit));
      return tf.add(tf.mul(mixed, a), -a * limit * rate);
    });
  },
};
calls['SpatialDropout1D'] = calls['Dropout']!;

const isCell = ({ dropout = 0, recurrentDropout = 0 }: LayerInternals): boolean => dropout > 0 || recurrentDropout > 0;

/** Whether a layer draws random numbers in training. */
export function isNoisy(layer: LayerInternals): boolean {
  return layer.getClassName() in calls || isCell(layer);
}

/**
 * Makes a layer draw from the context's key instead of tfjs's own generator, and returns what undoes it.
 *
 * @param index Which noisy layer of the model it is; different ones have different keys.
 */
export function drawFromKey(layer: LayerInternals, index: number, path: string, ctx: Context): () => void {
  let used = 0;
  const uses: Uses = () => {
    const key = ctx.key && foldIn(foldIn(ctx.key, index), used++);
    return { ...ctx, key, path: joinPath(ctx.path, path) };
  };
  const make = calls[layer.getClassName()];
  if (make !== undefined) return replaceCall(layer, make(layer, uses));
  const old = layer.dropoutFunc;
  layer.dropoutFunc = (ones, rate) => drop(ones, rate, uses());
  return () => {
    layer.dropoutFunc = old;
    // Cells keep their masks until the next call.
    for (const mask of [layer.dropoutMask, layer.recurrentDropoutMask]) if (mask) tf.dispose(mask);
    layer.dropoutMask = null;
    layer.recurrentDropoutMask = null;
  };
}

/** Puts a `call` before the layer's own, and returns what takes it away again. */
export function replaceCall(layer: LayerInternals, call: LayerCall): () => void {
  const before = Object.getOwnPropertyDescriptor(layer, 'call');
  layer.call = call;
  return () => {
    if (before) Object.defineProperty(layer, 'call', before);
    else delete (layer as Partial<LayerInternals>).call;
  };
}
