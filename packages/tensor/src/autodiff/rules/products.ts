import * as tf from '@tensorflow/tfjs-core';
import type { JvpCall, TangentResult } from '../jvp-call.ts';
import type { RuleEntry, RuleTable } from './entry.ts';
import { firstAxisLast, folded } from './linear.ts';
import { matMulTangent } from './matmul.ts';
import { sum } from './sum.ts';

/** Linear in each of `names`: the sum over them of the kernel with that input replaced by its tangent. */
export function product(...names: readonly string[]): RuleEntry {
  return {
    kind: 'product',
    many: false,
    rule: (call) =>
      sum(...names.map((name) => (call.has(name) ? call.run({ ...call.inputs, [name]: call.d(name) }) : null))),
  };
}

/** The convolution part of `Conv2D` and its fused form. */
export function convTangent(call: JvpCall): tf.Tensor | null {
  const { strides, pad, dataFormat, dilations, dimRoundingMode } = call.attrs;
  const attrs = { strides, pad, dataFormat, dilations, dimRoundingMode };
  const [x, filter] = [call.input('x'), call.input('filter')];
  const convolve = (input: tf.Tensor, weights: tf.Tensor): tf.Tensor =>
    call.run({ x: input, filter: weights }, attrs, 'Conv2D');
  const dx = call.d('x');
  const byInput = dx && tf.reshape(convolve(folded(dx, call.lead), filter), call.withLead(call.y.shape));
  const raw = call.raw('filter');
  if (raw === undefined) return byInput ?? null;
  if (!(raw instanceof tf.Tensor) && dataFormat !== 'NCHW') {
    const byFilter = raw.asFilter?.((weights) => convolve(x, weights));
    if (byFilter !== undefined) return sum(byInput, byFilter);
  }
  const dw = call.d('filter')!;
  if (call.directions === undefined) return sum(byInput, convolve(x, dw));
  return sum(byInput, manyOutputs(convolve(x, outputsLast(dw)), call.directions, call.y.shape));
}

/** [K, kh, kw, I, O] as [kh, kw, I, O·K]: every direction is a set of output channels. */
function outputsLast(filter: tf.Tensor): tf.Tensor {
  const last = firstAxisLast(filter);
  const [outputs, directions] = last.shape.slice(-2) as [number, number];
  return tf.reshape(last, [...last.shape.slice(0, -2), outputs * directions]);
}

/** [B, h, w, O·K] as [K, B, h, w, O]. */
function manyOutputs(result: tf.Tensor, directions: number, shape: readonly number[]): tf.Tensor {
  const split = tf.reshape(result, [...shape, directions]);
  return tf.transpose(split, [split.rank - 1, ...shape.keys()]);
}

/** The convolution part of `DepthwiseConv2dNative` and its fused form. */
export function depthwiseTangent(call: JvpCall): tf.Tensor | null {
  const { strides, pad, dataFormat, dilations, dimRoundingMode } = call.attrs;
  const attrs = { strides, pad, dataFormat, dilations, dimRoundingMode };
  const convolve = (x: tf.Tensor, filter: tf.Tensor): tf.Tensor =>
    call.run({ x, filter }, attrs, 'DepthwiseConv2dNative');
  const [dx, dw] = [call.d('x'), call.d('filter')];
  const byInput = dx && tf.reshape(convolve(folded(dx, call.lead), call.input('filter')), call.withLead(call.y.shape));
  if (dw === undefined) return byInput ?? null;
  const x = call.input('x');
  if (call.directions === undefined) return sum(byInput, convolve(x, dw));
  return sum(byInput, manyOutputs(convolve(x, outputsLast(dw)), call.directions, call.y.shape));
}

function einsum(call: JvpCall): TangentResult {
  const equation = call.attrs.equation as string;
  const names = Object.keys(call.inputs);
  if (call.lead === 0) {
    return sum(
      ...names.map((name) =>
        call.has(name) ? call.run(names.map((other) => (other === name ? call.d(name)! : call.input(other)))) : null,
      ),
    );
  }
  const letter = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].find((candidate) => !equation.includes(candidate))!;
  const [left, right] = equation.split('->') as [string, string];
  const terms = left.split(',');
  return sum(
    ...names.map((name, i) => {
      if (!call.has(name)) return null;
      const lifted = terms.map((term, j) => (j === i ? letter + term.trim() : term)).join(',');
      const operands = names.map((other) => (other === name ? call.d(name)! : call.input(other)));
      return call.run(operands, { equation: `${lifted}->${letter}${right.trim()}` });
    }),
  );
}

/** Kernels that are linear in each of several inputs. */
export const productRules: RuleTable = {
  BatchMatMul: { kind: 'product', many: true, rule: matMulTangent, note: 'structured tangents of b stay' },
  Multiply: {
    kind: 'product',
    many: true,
    rule: (call) => {
      const [da, db] = [call.aligned('a'), call.aligned('b')];
      return sum(da && tf.mul(da, call.input('b')), db && tf.mul(call.input('a'), db));
    },
  },
  Conv2D: { kind: 'product', many: true, rule: convTangent, note: 'structured tangents of the filter stay' },
  DepthwiseConv2dNative: { kind: 'product', many: true, rule: depthwiseTangent },
  Conv3D: product('x', 'filter'),
  Einsum: { kind: 'product', many: true, rule: einsum },
  Conv2DBackpropInput: product('dy', 'filter'),
  Conv2DBackpropFilter: product('x', 'dy'),
  DepthwiseConv2dNativeBackpropInput: product('dy', 'filter'),
  DepthwiseConv2dNativeBackpropFilter: product('x', 'dy'),
  Conv3DBackpropInputV2: product('dy', 'filter'),
  Conv3DBackpropFilterV2: product('x', 'dy'),
};
