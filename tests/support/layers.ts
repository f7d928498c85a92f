import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

/** What a tfjs layer makes of `x` with these weights; disposes its weights. */
export function layerOutput(
  layer: tfl.layers.Layer,
  x: tf.Tensor,
  weights: readonly tf.Tensor[] = [],
  options: { training?: boolean } = {},
): tf.Tensor {
  return tf.tidy(() => {
    layer.build(x.shape);
    layer.built = true;
    if (weights.length > 0) layer.setWeights([...weights]);
    const y = layer.apply(x, options) as tf.Tensor;
    for (const weight of layer.weights) weight.dispose();
    return y.clone();
  });
}
