import * as tf from '@tensorflow/tfjs-core';
import type { JvpCall, TangentResult } from '../jvp-call.ts';
import type { RuleEntry } from './entry.ts';

type Attrs = Readonly<Record<string, unknown>>;

/** Attributes for tangents that have an axis of directions in front. */
export type LiftAttrs = (call: JvpCall) => Attrs;

/** Attributes that do not speak of axes. */
export const same: LiftAttrs = (call) => call.attrs;

/** Linear in `input`: the kernel itself on the tangent, once for each direction. */
export function linear(input: string, attrs: Attrs = {}, note?: string): RuleEntry {
  const rule = (call: JvpCall): TangentResult =>
    call.has(input) ? call.runAll({ ...call.inputs, [input]: call.d(input) }, { ...call.attrs, ...attrs }) : null;
  return { kind: 'linear', many: false, rule, ...(note && { note }) };
}

/** Linear in `input`, for kernels that know any axis in front if their attributes are adapted. */
export function linearLifted(input: string, lift: LiftAttrs): RuleEntry {
  return {
    kind: 'linear',
    many: true,
    rule: (call) =>
      call.has(input)
        ? call.runAll({ ...call.inputs, [input]: call.d(input) }, call.lead === 0 ? call.attrs : lift(call))
        : null,
  };
}

/** Linear in `input`, whose first axis is a batch: the directions are folded into it. */
export function linearBatched(input: string, attrs: Attrs = {}): RuleEntry {
  return {
    kind: 'linear',
    many: true,
    rule: (call) => {
      const tangent = call.d(input);
      if (tangent === undefined) return null;
      return call.run({ ...call.inputs, [input]: folded(tangent, call.lead) }, { ...call.attrs, ...attrs });
    },
  };
}

/** Linear in `input`, with rows of any shape behind the axes that count: the directions become the last axis. */
export function linearTrailing(input: string, lift: LiftAttrs = same): RuleEntry {
  return {
    kind: 'linear',
    many: true,
    rule: (call) => {
      const tangent = call.d(input);
      if (tangent === undefined) return null;
      if (call.lead === 0) return call.run({ ...call.inputs, [input]: tangent });
      const result = call.run({ ...call.inputs, [input]: firstAxisLast(tangent) }, lift(call));
      return lastAxisFirst(result);
    },
  };
}

/** Linear in all inputs together, which are a list or (with `names`) some of the named ones; missing tangents are zeros. */
export function linearTogether(names: readonly string[] | 'list', lift: LiftAttrs): RuleEntry {
  return {
    kind: 'linear',
    many: true,
    rule: (call) => {
      const attrs = call.lead === 0 ? call.attrs : lift(call);
      if (names === 'list') {
        return call.run(
          Object.keys(call.inputs).map((name) => call.dOrZeros(name)),
          attrs,
        );
      }
      const tangents = names.map((name) => [name, call.dOrZeros(name)]);
      return call.run({ ...call.inputs, ...Object.fromEntries(tangents) }, attrs);
    },
  };
}

/** [K, B, …] as [K·B, …]. */
export function folded(tangent: tf.Tensor, lead: 0 | 1): tf.Tensor {
  if (lead === 0) return tangent;
  const [directions, batch, ...shape] = tangent.shape as [number, number, ...number[]];
  return tf.reshape(tangent, [directions * batch, ...shape]);
}

/** [K, …] as […, K]. */
export function firstAxisLast(tangent: tf.Tensor): tf.Tensor {
  return tf.transpose(tangent, [...tangent.shape.keys()].slice(1).concat(0));
}

/** […, K] as [K, …]. */
export function lastAxisFirst(tangent: tf.Tensor): tf.Tensor {
  const last = tangent.rank - 1;
  return tf.transpose(tangent, [last, ...[...tangent.shape.keys()].slice(0, last)]);
}

/** Attributes in which `names` hold an axis or a list of them, counted from the front. */
export function axes(...names: readonly string[]): LiftAttrs {
  return (call) => {
    const lifted: Record<string, unknown> = { ...call.attrs };
    for (const name of names) {
      const axis = call.attrs[name];
      if (typeof axis === 'number') lifted[name] = axis < 0 ? axis : axis + 1;
      else if (Array.isArray(axis)) lifted[name] = axis.map((a: number) => (a < 0 ? a : a + 1));
    }
    return lifted;
  };
}

/** As `axes`, for reductions: a missing axis means all of them. */
export function reducedAxes(name: string): LiftAttrs {
  return (call) => ({
    ...call.attrs,
    [name]: call.axes(call.attrs[name] as number | number[] | undefined, call.input('x').shape),
  });
}

/** Attributes in which `name` is a list with an entry per axis; `entry` stands for the axis of directions. */
export function perAxis(name: string, entry: unknown): LiftAttrs {
  return (call) => ({ ...call.attrs, [name]: [entry, ...(call.attrs[name] as unknown[])] });
}
