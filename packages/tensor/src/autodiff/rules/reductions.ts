import * as tf from '@tensorflow/tfjs-core';
import type { JvpCall } from '../jvp-call.ts';
import type { RuleEntry, RuleTable } from './entry.ts';

type Axis = number | number[] | undefined;

/** The mean of the tangents over the entries that equal the extreme. */
const extreme: RuleEntry = {
  kind: 'by hand',
  many: true,
  rule: (call) => {
    const x = call.input('x');
    const axis = (call.attrs.reductionIndices ?? call.attrs.axis) as Axis;
    const reduced = tf.util.parseAxisParam(axis ?? [...x.shape.keys()], x.shape);
    const kept = x.shape.map((size, i) => (reduced.includes(i) ? 1 : size));
    const mask = tf.cast(tf.equal(x, tf.reshape(call.y, kept)), 'float32');
    const total = tf.sum(tf.mul(call.d('x')!, mask), call.axes(reduced, x.shape));
    const ties = tf.sum(mask, reduced);
    return tf.reshape(tf.div(total, ties), call.withLead(call.y.shape));
  },
  note: 'mean over ties',
};

/** A number and its tangent; products of such pairs are right also where factors are 0. */
type Dual = readonly [value: tf.Tensor, tangent: tf.Tensor];

function times([a, da]: Dual, [b, db]: Dual): Dual {
  return [tf.mul(a, b), tf.add(tf.mul(da, b), tf.mul(a, db))];
}

/** Entries [from, to) of the last axis. */
function cut(x: tf.Tensor, from: number, to: number): tf.Tensor {
  const begin = new Array<number>(x.rank).fill(0);
  begin[x.rank - 1] = from;
  return tf.slice(x, begin, [...x.shape.slice(0, -1), to - from]);
}

/** Moves the axes of a primal to the end and joins them: [K?, outer, n]. */
function toRows(x: tf.Tensor, joined: readonly number[], lead: number, shape: readonly number[]): tf.Tensor {
  const shifted = joined.map((axis) => axis + lead);
  const rest = [...x.shape.keys()].filter((axis) => !shifted.includes(axis));
  const n = joined.reduce((size, axis) => size * shape[axis]!, 1);
  return tf.reshape(tf.transpose(x, [...rest, ...shifted]), [...x.shape.slice(0, lead), -1, n]);
}

/** Multiplies the two halves of each row until one number is left. */
function prod(call: JvpCall): tf.Tensor {
  const x = call.input('x');
  const joined = tf.util.parseAxisParam((call.attrs.axis as Axis) ?? [...x.shape.keys()], x.shape);
  let dual: Dual = [toRows(x, joined, 0, x.shape), toRows(call.d('x')!, joined, call.lead, x.shape)];
  for (let n = dual[0].shape.at(-1)!; n > 1; n = Math.ceil(n / 2)) {
    const half = Math.floor(n / 2);
    const product = times(
      map(dual, (t) => cut(t, 0, half)),
      map(dual, (t) => cut(t, half, 2 * half)),
    );
    dual =
      n % 2 === 0
        ? product
        : join(
            product,
            map(dual, (t) => cut(t, n - 1, n)),
          );
  }
  return tf.reshape(dual[1], call.withLead(call.y.shape));
}

function map([value, tangent]: Dual, f: (t: tf.Tensor) => tf.Tensor): Dual {
  return [f(value), f(tangent)];
}

function join(a: Dual, b: Dual): Dual {
  return [tf.concat([a[0], b[0]], -1), tf.concat([a[1], b[1]], -1)];
}

/** A scan: every entry takes in the one 1, 2, 4, … places before it. */
function cumprod(call: JvpCall): tf.Tensor {
  const { axis, exclusive, reverse } = call.attrs as { axis: number; exclusive: boolean; reverse: boolean };
  const x = call.input('x');
  const at = tf.util.parseAxisParam(axis, x.shape)[0]!;
  const order = [...x.shape.keys()].filter((i) => i !== at).concat(at);
  const turned = (t: tf.Tensor): tf.Tensor => (reverse ? tf.reverse(t, -1) : t);
  const toLast = (t: tf.Tensor, lead: number): tf.Tensor =>
    turned(tf.transpose(t, lead === 0 ? order : [0, ...order.map((i) => i + 1)]));
  let dual: Dual = [toLast(x, 0), toLast(call.d('x')!, call.lead)];
  const n = x.shape[at]!;
  if (exclusive) dual = shifted(dual, 1, n);
  for (let step = 1; step < n; step *= 2) dual = times(dual, shifted(dual, step, n));
  const back = order.map((_, i) => order.indexOf(i));
  return tf.transpose(turned(dual[1]), call.lead === 0 ? back : [0, ...back.map((i) => i + 1)]);
}

/** The rows moved by `step` towards the end, ones (with tangent 0) in front. */
function shifted([value, tangent]: Dual, step: number, n: number): Dual {
  const paddings = (t: tf.Tensor): [number, number][] => t.shape.map((_, i) => [i === t.rank - 1 ? step : 0, 0]);
  const length = Math.max(n - step, 0);
  return [tf.pad(cut(value, 0, length), paddings(value), 1), tf.pad(cut(tangent, 0, length), paddings(tangent), 0)];
}

/** Reductions that are not linear. */
export const reductionRules: RuleTable = {
  Max: extreme,
  Min: extreme,
  Prod: { kind: 'by hand', many: true, rule: prod, note: 'right at zeros too' },
  Cumprod: { kind: 'by hand', many: true, rule: cumprod, note: 'right at zeros too' },
};
