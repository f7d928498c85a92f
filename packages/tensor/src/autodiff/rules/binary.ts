import * as tf from '@tensorflow/tfjs-core';
import type { JvpCall } from '../jvp-call.ts';
import type { RuleEntry, RuleTable } from './entry.ts';
import { sum } from './sum.ts';

type Partial = (a: tf.Tensor, b: tf.Tensor, y: tf.Tensor) => tf.Tensor;

/** y = f(a, b), broadcasting: ẏ = ∂f/∂a · ȧ + ∂f/∂b · ḃ. */
function partials(byA: Partial, byB: Partial, note?: string): RuleEntry {
  return {
    kind: 'element-wise',
    many: true,
    rule: (call) => {
      const [a, b] = [call.input('a'), call.input('b')];
      const [da, db] = [call.aligned('a'), call.aligned('b')];
      return sum(da && tf.mul(da, byA(a, b, call.y)), db && tf.mul(db, byB(a, b, call.y)));
    },
    ...(note && { note }),
  };
}

const float = (condition: tf.Tensor): tf.Tensor => tf.cast(condition, 'float32');

/** Chooses ȧ where `takesA`, otherwise ḃ; never multiplies by the other one, which may be infinite. */
function chosen(takesA: (a: tf.Tensor, b: tf.Tensor) => tf.Tensor): RuleEntry {
  return {
    kind: 'element-wise',
    many: true,
    rule: (call) => {
      const side = (name: string): tf.Tensor => call.aligned(name) ?? tf.zeros([]);
      return tf.where(takesA(call.input('a'), call.input('b')), side('a'), side('b'));
    },
    note: 'that of a at ties, as in tfjs',
  };
}

/** b·a^(b−1), and 0 where b is 0, also at a = 0. */
const powByBase: Partial = (a, b) => {
  const zero = tf.equal(b, 0);
  return tf.mul(b, tf.pow(a, tf.where(zero, tf.zerosLike(b), tf.sub(b, 1))));
};

/** a^b·log a, and 0 where a is not positive. */
const powByExponent: Partial = (a, _, y) => {
  const positive = tf.greater(a, 0);
  return tf.mul(y, tf.log(tf.where(positive, a, tf.onesLike(a))));
};

function difference(call: JvpCall): tf.Tensor | null {
  const [da, db] = [call.aligned('a'), call.aligned('b')];
  if (db === undefined) return da ?? null;
  return da === undefined ? tf.neg(db) : tf.sub(da, db);
}

/** Functions of two arguments, with broadcasting. */
export const binaryRules: RuleTable = {
  Add: { kind: 'linear', many: true, rule: (call) => sum(call.aligned('a'), call.aligned('b')) },
  Sub: { kind: 'linear', many: true, rule: difference },
  RealDiv: partials(
    (_, b) => tf.reciprocal(b),
    (_, b, y) => tf.neg(tf.div(y, b)),
  ),
  Pow: partials(powByBase, powByExponent, 'by the exponent 0 where the base is not positive'),
  Atan2: partials(
    (a, b) => tf.div(b, tf.add(tf.square(a), tf.square(b))),
    (a, b) => tf.neg(tf.div(a, tf.add(tf.square(a), tf.square(b)))),
  ),
  Mod: partials(
    () => tf.scalar(1),
    (a, b) => tf.neg(tf.floor(tf.div(a, b))),
  ),
  Maximum: chosen(tf.greaterEqual),
  Minimum: chosen(tf.lessEqual),
  SquaredDifference: {
    kind: 'element-wise',
    many: true,
    rule: (call) => tf.mul(tf.mul(2, tf.sub(call.input('a'), call.input('b'))), difference(call)!),
  },
  Prelu: {
    kind: 'element-wise',
    many: true,
    rule: (call) => {
      const [x, alpha] = [call.input('x'), call.input('alpha')];
      const [dx, da] = [call.aligned('x'), call.aligned('alpha')];
      const negative = float(tf.lessEqual(x, 0));
      const slope = (): tf.Tensor => tf.add(tf.step(x), tf.mul(negative, alpha));
      return sum(dx && tf.mul(dx, slope()), da && tf.mul(da, tf.minimum(x, 0)));
    },
  },
  EluGrad: {
    kind: 'element-wise',
    many: true,
    rule: (call) => {
      const [dy, y] = [call.input('dy'), call.input('y')];
      const [ddy, dOut] = [call.d('dy'), call.d('y')];
      const negative = (): tf.Tensor => float(tf.less(y, 0));
      return sum(ddy && tf.mul(ddy, tf.add(tf.minimum(y, 0), 1)), dOut && tf.mul(dOut, tf.mul(dy, negative())));
    },
  },
};
