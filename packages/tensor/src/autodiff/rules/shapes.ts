import * as tf from '@tensorflow/tfjs-core';
import type { JvpCall } from '../jvp-call.ts';
import type { RuleTable } from './entry.ts';
import {
  axes,
  type LiftAttrs,
  linear,
  linearBatched,
  linearLifted,
  linearTogether,
  perAxis,
  reducedAxes,
  same,
} from './linear.ts';

const lead = (call: JvpCall): number => call.directions ?? 1;

const liftedSlice: LiftAttrs = (call) => {
  const { begin, size } = call.attrs as { begin: number | number[]; size: number | number[] };
  const [first, extent] = tf.slice_util.parseSliceParams(call.input('x'), begin, size);
  return { begin: [0, ...first!], size: [lead(call), ...extent!] };
};

interface StridedSliceAttrs {
  begin: number[];
  end: number[];
  strides: number[];
  beginMask: number;
  endMask: number;
  ellipsisMask: number;
  newAxisMask: number;
  shrinkAxisMask: number;
}

const liftedStridedSlice: LiftAttrs = (call) => {
  const attrs = call.attrs as unknown as StridedSliceAttrs;
  return {
    begin: [0, ...attrs.begin],
    end: [lead(call), ...attrs.end],
    strides: [1, ...attrs.strides],
    beginMask: attrs.beginMask << 1,
    endMask: attrs.endMask << 1,
    ellipsisMask: attrs.ellipsisMask << 1,
    newAxisMask: attrs.newAxisMask << 1,
    shrinkAxisMask: attrs.shrinkAxisMask << 1,
  };
};

/** Kernels that rearrange, repeat, join or cut. */
export const shapeRules: RuleTable = {
  Identity: { kind: 'linear', many: true, rule: (call) => call.raw('x') ?? null, note: 'structured tangents stay' },
  Reshape: {
    kind: 'linear',
    many: true,
    rule: (call) => {
      const shape = call.withLead(call.y.shape);
      const tangent = call.raw('x')!;
      if (tangent instanceof tf.Tensor) return tf.reshape(tangent, shape);
      return tangent.reshape?.(shape) ?? tf.reshape(tangent.materialize(), shape);
    },
    note: 'structured tangents stay',
  },
  ExpandDims: {
    kind: 'linear',
    many: true,
    rule: (call) => tf.reshape(call.d('input')!, call.withLead(call.y.shape)),
  },
  Cast: {
    kind: 'linear',
    many: true,
    rule: (call) => tf.cast(call.d('x')!, call.y.dtype),
    note: 'zero towards integers and booleans',
  },
  Transpose: linearLifted('x', (call) => ({ perm: [0, ...(call.attrs.perm as number[]).map((axis) => axis + 1)] })),
  Slice: linearLifted('x', liftedSlice),
  StridedSlice: linearLifted('x', liftedStridedSlice),
  Tile: linearLifted('x', perAxis('reps', 1)),
  BroadcastTo: {
    kind: 'linear',
    many: true,
    rule: (call) => call.aligned('x')!,
    note: 'no backend has the kernel, tf.broadcastTo runs Tile',
  },
  Reverse: linearLifted('x', reducedAxes('dims')),
  PadV2: {
    kind: 'linear',
    many: true,
    rule: (call) => {
      const paddings = call.attrs.paddings as [number, number][];
      return call.run({ x: call.d('x') }, { paddings: call.lead ? [[0, 0], ...paddings] : paddings, constantValue: 0 });
    },
  },
  MirrorPad: linearLifted('x', perAxis('paddings', [0, 0])),
  SplitV: linearLifted('x', axes('axis')),
  Unpack: linearLifted('value', axes('axis')),
  Pack: linearTogether('list', axes('axis')),
  Concat: linearTogether('list', axes('axis')),
  Cumsum: linearLifted('x', axes('axis')),
  Sum: linearLifted('x', reducedAxes('axis')),
  Mean: linearLifted('x', reducedAxes('axis')),
  AddN: {
    kind: 'linear',
    many: true,
    rule: (call) =>
      tf.addN(
        Object.keys(call.inputs)
          .filter((name) => call.has(name))
          .map((name) => call.d(name)!),
      ),
  },
  Neg: linearLifted('x', same),
  Diag: linear('x'),
  DepthToSpace: linearBatched('x'),
  SpaceToBatchND: linear('x'),
  BatchToSpaceND: linear('x'),
};
