import { FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { LayerInternals, ModelInternals } from './internals.ts';

/** What stands between the last product and the loss, with the slope of the loss in closed form. */
export interface OutputLink {
  /** From the product to the prediction, as the model does it. */
  predict(outputs: tf.Tensor2D): tf.Tensor2D;
  /** ∂(loss of each example)/∂product, [B, C], from predictions [B, C] and the targets of `fit`. */
  slope(predictions: tf.Tensor2D, targets: tf.Tensor): tf.Tensor2D;
}

/** p − y, times a factor that may depend on the number of outputs. */
const difference =
  (factor: (outputs: number) => number) =>
  (predictions: tf.Tensor2D, targets: tf.Tensor): tf.Tensor2D =>
    tf.mul(tf.sub(predictions, tf.reshape(targets, predictions.shape)), factor(predictions.shape[1])) as tf.Tensor2D;

const identity = (outputs: tf.Tensor2D): tf.Tensor2D => outputs;

/** The pairs of activation and loss whose slope is prediction − target. */
const LINKS: Readonly<Record<string, OutputLink>> = {
  'softmax, categoricalCrossentropy': { predict: (z) => tf.softmax(z), slope: difference(() => 1) },
  'softmax, sparseCategoricalCrossentropy': {
    predict: (z) => tf.softmax(z),
    slope(predictions, labels) {
      const indices = tf.cast(tf.reshape(labels, [-1]), 'int32') as tf.Tensor1D;
      // In float32 tf.oneHot is wrong on stock wasm.
      return tf.sub(predictions, tf.cast(tf.oneHot(indices, predictions.shape[1]), 'float32')) as tf.Tensor2D;
    },
  },
  'sigmoid, binaryCrossentropy': { predict: (z) => tf.sigmoid(z), slope: difference((n) => 1 / n) },
  'linear, meanSquaredError': { predict: identity, slope: difference((n) => 2 / n) },
};

const classOf = (layer: LayerInternals): string =>
  layer.getClassName() === 'Softmax' ? 'softmax' : (layer.activation?.getClassName() ?? 'linear');

/**
 * The link of a compiled model.
 *
 * @param layers All leaf layers; the last one is the output layer, or an activation after it.
 * @throws {FrugalError} `UNSUPPORTED_LOSS` for other pairs of activation and loss; names those that work.
 */
export function outputLink(model: ModelInternals, layers: readonly LayerInternals[]): OutputLink {
  const loss = Array.isArray(model.loss) && model.loss.length === 1 ? (model.loss as unknown[])[0] : model.loss;
  const activation = classOf(layers.at(-1)!);
  const pair = `${activation}, ${String(typeof loss === 'function' ? loss.name : loss)}`;
  const link = LINKS[pair];
  if (link !== undefined) return link;
  throw new FrugalError(
    'UNSUPPORTED_LOSS',
    `localOptimizer knows the slope of ${Object.keys(LINKS).join('; ')}; model '${model.name}' has ${pair}. ` +
      'Compile it with one of these, by name.',
  );
}
