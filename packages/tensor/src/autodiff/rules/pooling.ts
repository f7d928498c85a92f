import * as tf from '@tensorflow/tfjs-core';
import type { JvpCall } from '../jvp-call.ts';
import type { RuleEntry, RuleTable } from './entry.ts';
import { folded, linear, linearBatched } from './linear.ts';
import { sum } from './sum.ts';

/** Below every activation; padding never wins. */
const lowest = -3e38;

/** Sizes of a pooling along its space axes, which stand between batch and channels. */
interface Windows {
  readonly size: readonly number[];
  readonly strides: readonly number[];
  readonly out: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
}

interface PoolAttrs<Size> {
  filterSize: Size;
  strides: Size;
  pad: 'valid' | 'same' | number;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

function windowsOf(call: JvpCall): Windows {
  const shape = call.input('x').shape;
  if (shape.length === 5) {
    const attrs = call.attrs as unknown as PoolAttrs<[number, number, number]>;
    const { filterSize, strides, pad, dimRoundingMode } = attrs;
    const info = tf.backend_util.computePool3DInfo(shape as never, filterSize, strides, 1, pad, dimRoundingMode);
    const { front, back, top, bottom, left, right } = info.padInfo;
    return {
      size: [info.filterDepth, info.filterHeight, info.filterWidth],
      strides: [info.strideDepth, info.strideHeight, info.strideWidth],
      out: [info.outDepth, info.outHeight, info.outWidth],
      before: [front, top, left],
      after: [back, bottom, right],
    };
  }
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs as unknown as PoolAttrs<[number, number]>;
  const info = tf.backend_util.computePool2DInfo(shape as never, filterSize, strides, 1, pad, dimRoundingMode);
  const { top, bottom, left, right } = info.padInfo;
  return {
    size: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    out: [info.outHeight, info.outWidth],
    before: [top, left],
    after: [bottom, right],
  };
}

/** Every offset inside of a window. */
function offsets(size: readonly number[]): number[][] {
  return size.reduce<number[][]>(
    (all, extent) => all.flatMap((offset) => Array.from({ length: extent }, (_, i) => [...offset, i])),
    [[]],
  );
}

/** The entry at `offset` of every window: shape of the output. */
function atOffset(x: tf.Tensor, offset: readonly number[], { strides, out }: Windows): tf.Tensor {
  const channels = x.shape.at(-1)!;
  const end = offset.map((from, i) => from + (out[i]! - 1) * strides[i]! + 1);
  return tf.stridedSlice(x, [0, ...offset, 0], [x.shape[0]!, ...end, channels], [1, ...strides, 1]);
}

function padded(x: tf.Tensor, { before, after, strides, size, out }: Windows, value: number): tf.Tensor {
  // Where the rounding mode is 'ceil', the last window may reach beyond the padding.
  const missing = out.map((n, i) => {
    const reach = (n - 1) * strides[i]! + size[i]!;
    return after[i]! < 0 ? after[i]! : Math.max(after[i]!, reach - x.shape[i + 1]! - before[i]!);
  });
  // In three dimensions tfjs's padding can be negative: what windows step over at the borders.
  const inside = cropped(x, before, missing);
  if (before.every((n) => n <= 0) && missing.every((n) => n <= 0)) return inside;
  const space = before.map((n, i): [number, number] => [Math.max(n, 0), Math.max(missing[i]!, 0)]);
  return tf.pad(inside, [[0, 0], ...space, [0, 0]], value);
}

function cropped(x: tf.Tensor, before: readonly number[], after: readonly number[]): tf.Tensor {
  if (before.every((n) => n >= 0) && after.every((n) => n >= 0)) return x;
  const begin = before.map((n) => Math.max(-n, 0));
  const size = after.map((n, i) => x.shape[i + 1]! - begin[i]! - Math.max(-n, 0));
  return tf.slice(x, [0, ...begin, 0], [x.shape[0]!, ...size, x.shape.at(-1)!]);
}

/** The mean of the tangents over the entries of a window that equal its maximum. */
function maxPool(call: JvpCall): tf.Tensor {
  const windows = windowsOf(call);
  const x = padded(call.input('x'), windows, lowest);
  const dx = padded(folded(call.d('x')!, call.lead), windows, 0);
  const shape = call.withLead(call.y.shape);
  let [total, ties]: (tf.Tensor | null)[] = [null, null];
  for (const offset of offsets(windows.size)) {
    const mask = tf.cast(tf.equal(atOffset(x, offset, windows), call.y), 'float32');
    total = sum(total, tf.mul(tf.reshape(atOffset(dx, offset, windows), shape), mask));
    ties = sum(ties, mask);
  }
  return tf.div(total!, ties!);
}

const maxPoolRule: RuleEntry = {
  kind: 'by hand',
  many: true,
  rule: (call) => [maxPool(call), null],
  note: 'mean over ties',
};

interface DilationAttrs {
  strides: [number, number];
  pad: 'valid' | 'same' | number;
  dilations: [number, number];
}

/** y = max over window offsets of x + filter, out of sums and maxima. */
function dilation(call: JvpCall): tf.Tensor {
  const { strides, pad, dilations } = call.attrs as unknown as DilationAttrs;
  const [x, filter] = [call.input('x') as tf.Tensor4D, call.input('filter') as tf.Tensor3D];
  const info = tf.backend_util.computeDilation2DInfo(x.shape, filter.shape, strides, pad, 'NHWC', dilations);
  const { top, bottom, left, right } = info.padInfo;
  const windows: Windows = {
    size: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    out: [info.outHeight, info.outWidth],
    before: [top, left],
    after: [bottom, right],
  };
  const whole = padded(x, windows, lowest);
  let best: tf.Tensor | undefined;
  for (const [row, column] of offsets(windows.size) as [number, number][]) {
    const offset = [row * info.dilationHeight, column * info.dilationWidth];
    const weight = tf.reshape(tf.slice(filter, [row, column, 0], [1, 1, -1]), [-1]);
    const shifted = tf.add(atOffset(whole, offset, windows), weight);
    best = best === undefined ? shifted : tf.maximum(best, shifted);
  }
  return best!;
}

/** Kernels that slide a window. */
export const poolingRules: RuleTable = {
  MaxPool: maxPoolRule,
  MaxPool3D: maxPoolRule,
  MaxPoolWithArgmax: maxPoolRule,
  AvgPool: linearBatched('x'),
  AvgPool3D: linearBatched('x'),
  MaxPoolGrad: linear('dy', {}, 'the chosen entries have no derivative'),
  MaxPool3DGrad: linear('dy', {}, 'the chosen entries have no derivative'),
  AvgPoolGrad: linear('dy'),
  AvgPool3DGrad: linear('dy'),
  Dilation2D: {
    kind: 'composed',
    many: true,
    rule: (call) => call.through(() => dilation(call)),
  },
  Dilation2DBackpropInput: linear('dy', {}, 'the chosen entries have no derivative'),
  Dilation2DBackpropFilter: linear('dy', {}, 'the chosen entries have no derivative'),
};
