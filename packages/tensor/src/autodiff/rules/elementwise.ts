import * as tf from '@tensorflow/tfjs-core';
import { reluGrad } from '../../kernels/relu-grad.ts';
import type { RuleEntry, RuleTable } from './entry.ts';

type Derivative = (x: tf.Tensor, y: tf.Tensor, attrs: Readonly<Record<string, unknown>>) => tf.Tensor;

/** y = f(x): ẏ = f'(x) · ẋ. The derivative is taken from the output where that saves work. */
export function elementwise(derivative: Derivative, note?: string): RuleEntry {
  return {
    kind: 'element-wise',
    many: true,
    rule: (call) => tf.mul(call.d('x')!, derivative(call.input('x'), call.y, call.attrs)),
    ...(note && { note }),
  };
}

const square = tf.square;
const oneMinusSquare = (x: tf.Tensor): tf.Tensor => tf.mul(tf.sub(1, x), tf.add(1, x));

const seluAlpha = 1.7580993408473768; // scale · α
const seluScale = 1.0507009873554805;

function within(x: tf.Tensor, min: number, max: number): tf.Tensor {
  return tf.cast(tf.logicalAnd(tf.greaterEqual(x, min), tf.lessEqual(x, max)), 'float32');
}

/** Functions of one argument. */
export const elementwiseRules: RuleTable = {
  Abs: elementwise((x) => tf.sign(x), '0 at 0'),
  Acos: elementwise((x) => tf.neg(tf.rsqrt(oneMinusSquare(x)))),
  Acosh: elementwise((x) => tf.rsqrt(tf.mul(tf.sub(x, 1), tf.add(x, 1)))),
  Asin: elementwise((x) => tf.rsqrt(oneMinusSquare(x))),
  Asinh: elementwise((x) => tf.rsqrt(tf.add(1, square(x)))),
  Atan: elementwise((x) => tf.reciprocal(tf.add(1, square(x)))),
  Atanh: elementwise((x) => tf.reciprocal(oneMinusSquare(x))),
  ClipByValue: elementwise(
    (x, _, attrs) => within(x, attrs.clipValueMin as number, attrs.clipValueMax as number),
    '1 at the limits',
  ),
  Cos: elementwise((x) => tf.neg(tf.sin(x))),
  Cosh: elementwise((x) => tf.sinh(x)),
  Elu: elementwise((_, y) => tf.add(tf.minimum(y, 0), 1)),
  Erf: elementwise((x) => tf.mul(2 / Math.sqrt(Math.PI), tf.exp(tf.neg(square(x))))),
  Exp: elementwise((_, y) => y),
  Expm1: elementwise((x) => tf.exp(x)),
  LeakyRelu: elementwise((x, _, attrs) => tf.step(x, attrs.alpha as number)),
  Log: elementwise((x) => tf.reciprocal(x)),
  Log1p: elementwise((x) => tf.reciprocal(tf.add(x, 1))),
  Reciprocal: elementwise((_, y) => tf.neg(square(y))),
  Relu: { kind: 'element-wise', many: true, note: '0 at 0', rule: (call) => reluGrad({ dy: call.d('x')!, y: call.y }) },
  Relu6: elementwise((x) => tf.mul(tf.step(x), tf.cast(tf.lessEqual(x, 6), 'float32')), '0 at 0, 1 at 6'),
  Rsqrt: elementwise((x, y) => tf.mul(-0.5, tf.div(y, x))),
  Selu: elementwise((x, y) => tf.where(tf.greater(x, 0), tf.scalar(seluScale), tf.add(y, seluAlpha))),
  Sigmoid: elementwise((_, y) => tf.mul(y, tf.sub(1, y))),
  Sin: elementwise((x) => tf.cos(x)),
  Sinh: elementwise((x) => tf.cosh(x)),
  Softplus: elementwise((x) => tf.sigmoid(x)),
  Sqrt: elementwise((_, y) => tf.div(0.5, y)),
  Square: elementwise((x) => tf.mul(2, x)),
  Tan: elementwise((_, y) => tf.add(1, square(y))),
  Tanh: elementwise((_, y) => oneMinusSquare(y)),
};
