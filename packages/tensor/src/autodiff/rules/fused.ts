import * as tf from '@tensorflow/tfjs-core';
import { reluGrad } from '../../kernels/relu-grad.ts';
import type { JvpCall } from '../jvp-call.ts';
import type { RuleEntry, RuleTable } from './entry.ts';
import { matMulTangent } from './matmul.ts';
import { convTangent, depthwiseTangent } from './products.ts';
import { sum } from './sum.ts';

/** The derivative of a fused activation, from its output. */
function activationSlope(activation: string, y: tf.Tensor, leakyreluAlpha: number | undefined): tf.Tensor {
  switch (activation) {
    case 'relu':
      return tf.step(y);
    case 'relu6':
      return tf.mul(tf.step(y), tf.step(tf.sub(6, y)));
    case 'sigmoid':
      return tf.mul(y, tf.sub(1, y));
    case 'elu':
      return tf.add(tf.minimum(y, 0), 1);
    case 'leakyrelu':
      return tf.step(y, leakyreluAlpha ?? 0.2);
    default:
      throw new TypeError(`The fused activation '${activation}' is unknown to jvp. Apply it as an op of its own.`);
  }
}

/** A tangent taken past a fused activation, which gave y; axes of directions may stand in front, and a bias's alone is smaller. */
export function pastActivation(activation: string, y: tf.Tensor, tangent: tf.Tensor, alpha?: number): tf.Tensor {
  const whole = tangent.rank >= y.rank && tf.util.arraysEqual(tangent.shape.slice(tangent.rank - y.rank), y.shape);
  if (activation === 'relu' && whole) return reluGrad({ dy: tangent, y });
  return tf.mul(tangent, activationSlope(activation, y, alpha));
}

/** activation(product + bias), the product's tangent given by `tangent`, the kernel without the rest being `plain`. */
function fused(plain: string, tangent: (call: JvpCall) => tf.Tensor | null): RuleEntry {
  return {
    kind: 'product',
    many: true,
    rule: (call) => {
      const before = sum(tangent(call), call.aligned('bias'));
      const activation = (call.attrs.activation as string | undefined) ?? 'linear';
      if (activation === 'linear') return before;
      if (activation === 'prelu') return prelu(call, plain, before);
      if (before === null) return null;
      return pastActivation(activation, call.y, before, call.attrs.leakyreluAlpha as number | undefined);
    },
  };
}

/** The sign of what goes into prelu is not to be seen from its output: it is computed again. */
function prelu(call: JvpCall, plain: string, before: tf.Tensor | null): tf.Tensor | null {
  const { activation: _, leakyreluAlpha: __, ...attrs } = call.attrs;
  const { bias, preluActivationWeights: ___, ...inputs } = call.inputs;
  const product = call.run(inputs, attrs, plain);
  const z = bias == null ? product : tf.add(product, bias);
  const alpha = call.input('preluActivationWeights');
  const dAlpha = call.aligned('preluActivationWeights');
  const slope = tf.add(tf.step(z), tf.mul(tf.cast(tf.lessEqual(z, 0), 'float32'), alpha));
  return sum(before && tf.mul(before, slope), dAlpha && tf.mul(dAlpha, tf.minimum(z, 0)));
}

/** Products with bias and activation in one kernel. */
export const fusedRules: RuleTable = {
  _FusedMatMul: fused('BatchMatMul', matMulTangent),
  FusedConv2D: fused('Conv2D', convTangent),
  FusedDepthwiseConv2D: fused('DepthwiseConv2dNative', depthwiseTangent),
};
