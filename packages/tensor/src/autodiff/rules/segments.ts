import * as tf from '@tensorflow/tfjs-core';
import { geluGradOfOps } from '../../kernels/gelu.ts';
import type { SegmentMatMulAttrs } from '../../kernels/types.ts';
import type { JvpCall } from '../jvp-call.ts';
import { sum } from './sum.ts';

/** The segment of each row. */
function segmentOfRows(ends: readonly number[]): tf.Tensor1D {
  const ids = ends.flatMap((end, s) => new Array<number>(end - (s === 0 ? 0 : ends[s - 1]!)).fill(s));
  return tf.tensor1d(ids, 'int32');
}

/** Every direction by itself: [K, …] → [K, …]. */
function perDirection(tangent: tf.Tensor, f: (one: tf.Tensor) => tf.Tensor): tf.Tensor {
  return tf.stack(tf.unstack(tangent).map(f));
}

function byRows(call: JvpCall, attrs: SegmentMatMulAttrs): tf.Tensor | undefined {
  const dx = call.d('x');
  const w = call.input('w');
  const k = call.directions;
  if (dx === undefined || k === undefined) return dx && call.run({ x: dx, w }, attrs);
  // The directions of a row side by side, so that rows stay sorted by segment.
  const [, rows, inner] = dx.shape as [number, number, number];
  const x = tf.reshape(tf.transpose(dx, [1, 0, 2]), [rows * k, inner]);
  const y = call.run({ x, w }, { ...attrs, ends: attrs.ends.map((end) => end * k) });
  return tf.transpose(tf.reshape(y, [rows, k, y.shape[1]!]), [1, 0, 2]);
}

function byWeights(call: JvpCall, attrs: SegmentMatMulAttrs): tf.Tensor | undefined {
  const dw = call.d('w');
  const one = (w: tf.Tensor): tf.Tensor => call.run({ x: call.input('x'), w }, attrs);
  return dw && (call.lead === 0 ? one(dw) : perDirection(dw, one));
}

/** The tangent of activation(x·w[segment] + bias[segment]). */
export function segmentMatMulTangent(call: JvpCall): tf.Tensor | null {
  const { ends, transposeW, activation } = call.attrs as unknown as SegmentMatMulAttrs;
  const attrs: SegmentMatMulAttrs = { ends, transposeW, activation: 'linear' };
  const dBias = call.d('bias');
  const before = sum(
    byRows(call, attrs),
    byWeights(call, attrs),
    dBias && tf.gather(dBias, segmentOfRows(ends), call.lead),
  );
  if (before === null || activation === 'linear') return before;
  if (activation === 'relu') return tf.mul(before, tf.step(call.y));
  return geluGradOfOps({ x: call.run(call.inputs, attrs), dy: before });
}
