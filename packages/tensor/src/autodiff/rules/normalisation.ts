import * as tf from '@tensorflow/tfjs-core';
import type { JvpCall } from '../jvp-call.ts';
import type { RuleTable } from './entry.ts';
import { sum } from './sum.ts';

function softmax(call: JvpCall): tf.Tensor {
  const axis = call.axes((call.attrs.dim as number | undefined) ?? -1, call.y.shape);
  const scaled = tf.mul(call.d('logits')!, call.y);
  return tf.sub(scaled, tf.mul(call.y, tf.sum(scaled, axis, true)));
}

function logSoftmax(call: JvpCall): tf.Tensor {
  const axis = call.axes((call.attrs.axis as number | undefined) ?? -1, call.y.shape);
  const tangent = call.d('logits')!;
  return tf.sub(tangent, tf.sum(tf.mul(tangent, tf.exp(call.y)), axis, true));
}

/** y = (x − mean) · scale / √(variance + ε) + offset; scale and offset may be missing. */
function batchNorm(call: JvpCall): tf.Tensor | null {
  const [x, mean, variance] = [call.input('x'), call.input('mean'), call.input('variance')];
  const scale = call.inputs.scale;
  const inverse = tf.rsqrt(tf.add(variance, call.attrs.varianceEpsilon as number));
  const gain = scale == null ? inverse : tf.mul(scale, inverse);
  const centred = tf.sub(x, mean);
  const [dx, dMean] = [call.aligned('x'), call.aligned('mean')];
  const moved = dx && dMean ? tf.sub(dx, dMean) : (dx ?? (dMean && tf.neg(dMean)));
  const dVariance = call.aligned('variance');
  const dScale = call.aligned('scale');
  return sum(
    moved && tf.mul(moved, gain),
    dVariance && tf.mul(tf.mul(dVariance, tf.mul(-0.5, tf.mul(tf.square(inverse), gain))), centred),
    dScale && tf.mul(dScale, tf.mul(centred, inverse)),
    call.aligned('offset'),
  );
}

interface LrnAttrs {
  depthRadius: number;
  bias: number;
  alpha: number;
  beta: number;
}

/** Sums over channels that are at most `radius` away, as a product with a banded matrix. */
function channelWindow(x: tf.Tensor, radius: number): tf.Tensor {
  const n = x.shape.at(-1)!;
  const band = Array.from({ length: n * n }, (_, i) => (Math.abs(Math.floor(i / n) - (i % n)) <= radius ? 1 : 0));
  return tf.reshape(tf.matMul(tf.reshape(x, [-1, n]), tf.tensor2d(band, [n, n])), x.shape);
}

function lrnBase(call: JvpCall): tf.Tensor {
  const { depthRadius, bias, alpha } = call.attrs as unknown as LrnAttrs;
  return tf.add(bias, tf.mul(alpha, channelWindow(tf.square(call.input('x')), depthRadius)));
}

function lrn(call: JvpCall): tf.Tensor {
  const { beta } = call.attrs as unknown as LrnAttrs;
  return tf.mul(call.input('x'), tf.pow(lrnBase(call), -beta));
}

/** dx = dy·S^(−β) − 2αβ·x·window(dy·x·S^(−β−1)) with S = bias + α·window(x²). */
function lrnGrad(call: JvpCall): tf.Tensor {
  const { depthRadius, alpha, beta } = call.attrs as unknown as LrnAttrs;
  const [x, dy] = [call.input('x'), call.input('dy')];
  const base = lrnBase(call);
  const inner = channelWindow(tf.mul(tf.mul(dy, x), tf.pow(base, -beta - 1)), depthRadius);
  return tf.sub(tf.mul(dy, tf.pow(base, -beta)), tf.mul(tf.mul(2 * alpha * beta, x), inner));
}

/** Kernels that normalise. */
export const normalisationRules: RuleTable = {
  Softmax: { kind: 'by hand', many: true, rule: softmax },
  LogSoftmax: { kind: 'by hand', many: true, rule: logSoftmax, note: 'tf.logSoftmax runs other kernels' },
  FusedBatchNorm: { kind: 'by hand', many: true, rule: batchNorm },
  LRN: { kind: 'composed', many: true, rule: (call) => call.through(() => lrn(call)) },
  LRNGrad: {
    kind: 'composed',
    many: true,
    rule: (call) => call.through(() => lrnGrad(call)),
    note: 'y as a function of x',
  },
};
