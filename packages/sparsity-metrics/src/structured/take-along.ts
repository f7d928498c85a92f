import { gatherRows } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** gather along an axis, by whole rows: stock wasm's gather is slow. */
export function takeAlong(x: tf.Tensor, indices: readonly number[], axis: number): tf.Tensor {
  const order = [axis, ...x.shape.keys()].filter((other, i) => i === 0 || other !== axis);
  const back = [...x.shape.keys()].map((own) => order.indexOf(own));
  return tf.tidy(() => {
    const picked = gatherRows(axis === 0 ? x : tf.transpose(x, order), Int32Array.from(indices));
    return axis === 0 ? picked : tf.transpose(picked, back);
  });
}
