import * as tf from '@tensorflow/tfjs-core';

interface Window {
  readonly batch: number;
  readonly taps: readonly { row: number; column: number; top: number; left: number }[];
  readonly outShape: [number, number];
  readonly paddings: [number, number][];
}

function windowOf(x: number[], filter: number[], attrs: tf.NamedAttrMap, depthwise: boolean): Window {
  const { strides, dilations, pad, dimRoundingMode } = attrs as unknown as tf.Conv2DAttrs;
  const info = tf.backend_util.computeConv2DInfo(
    x as never,
    filter as never,
    strides,
    dilations,
    pad,
    dimRoundingMode,
    depthwise,
  );
  const taps = [];
  for (let row = 0; row < info.filterHeight; row++) {
    for (let column = 0; column < info.filterWidth; column++) {
      taps.push({ row, column, top: row * info.dilationHeight, left: column * info.dilationWidth });
    }
  }
  const { top, bottom, left, right } = info.padInfo;
  const paddings: [number, number][] = [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
  return { batch: info.batchSize, taps, outShape: [info.outHeight, info.outWidth], paddings };
}

/** How a tap of the filter acts on the positions [P, …] of the image that it meets. */
interface Tap {
  /** [P, C] from `dy` [P, O] and the tap's weights [C, O]. */
  input(dy: tf.Tensor, weights: tf.Tensor): tf.Tensor;
  /** [C, O] from the image [P, C] and `dy` [P, O]. */
  filter(x: tf.Tensor, dy: tf.Tensor): tf.Tensor;
}

const dense: Tap = {
  input: (dy, weights) => tf.matMul(dy, weights, false, true),
  filter: (x, dy) => tf.matMul(x, dy, true, false),
};

/** Weights are [C, M] here and `dy` [P, C · M]. */
const depthwise: Tap = {
  input: (dy, weights) => tf.sum(tf.mul(tf.reshape(dy, [-1, ...weights.shape]), weights), 2),
  filter: (x, dy) => {
    const multiplier = dy.shape[1]! / x.shape[1]!;
    return tf.sum(tf.mul(tf.reshape(dy, [-1, x.shape[1]!, multiplier]), tf.expandDims(x, 2)), 0);
  },
};

/** Dilated convolutions have stride 1, so each tap meets one contiguous piece of the padded image. */
function inputGradient(dy: tf.Tensor, shape: number[], filter: tf.Tensor, window: Window, tap: Tap): tf.Tensor {
  const [height, width] = window.outShape;
  const [, rows, columns, channels] = shape as [number, number, number, number];
  const [, [top, bottom], [left, right]] = window.paddings as [unknown, [number, number], [number, number]];
  const positions = tf.reshape(dy, [-1, dy.shape[3]!]);
  const parts = window.taps.map((at) => {
    const weights = tf.reshape(tf.slice(filter, [at.row, at.column, 0, 0], [1, 1, -1, -1]), filter.shape.slice(2));
    const part = tf.reshape(tap.input(positions, weights), [window.batch, height, width, channels]);
    const below = rows + top + bottom - at.top - height;
    const behind = columns + left + right - at.left - width;
    return tf.pad(part, [
      [0, 0],
      [at.top, below],
      [at.left, behind],
      [0, 0],
    ]);
  });
  return tf.slice(
    parts.reduce((sum, part) => tf.add(sum, part)),
    [0, top, left, 0],
    shape,
  );
}

function filterGradient(dy: tf.Tensor, x: tf.Tensor, filterShape: number[], window: Window, tap: Tap): tf.Tensor {
  const [height, width] = window.outShape;
  const channels = x.shape[3]!;
  const padded = tf.pad(x, window.paddings);
  const positions = tf.reshape(dy, [-1, dy.shape[3]!]);
  const taps = window.taps.map(({ top, left }) => {
    const piece = tf.slice(padded, [0, top, left, 0], [window.batch, height, width, channels]);
    return tap.filter(tf.reshape(piece, [-1, channels]), positions);
  });
  return tf.reshape(tf.stack(taps), filterShape);
}

const isDilated = (dilations: unknown): boolean =>
  (Array.isArray(dilations) ? dilations : [dilations ?? 1]).some((dilation) => dilation > 1);

function dilated(kernelName: string, tap: Tap): tf.GradConfig {
  const stock = tf.getGradient(kernelName)!;
  return {
    ...stock,
    gradFunc: (dy, saved, attrs) => {
      if (!isDilated(attrs.dilations)) return stock.gradFunc(dy, saved, attrs);
      const [x, filter] = saved as [tf.Tensor, tf.Tensor];
      const channelsFirst = attrs.dataFormat === 'NCHW';
      const last = (t: tf.Tensor): tf.Tensor => (channelsFirst ? tf.transpose(t, [0, 2, 3, 1]) : t);
      const first = (t: tf.Tensor): tf.Tensor => (channelsFirst ? tf.transpose(t, [0, 3, 1, 2]) : t);
      const [batch, a, b, c] = x.shape as [number, number, number, number];
      const shape = channelsFirst ? [batch, b, c, a] : x.shape;
      const window = windowOf(shape, filter.shape, attrs, tap === depthwise);
      return {
        x: () => first(inputGradient(last(dy as tf.Tensor), shape, filter, window, tap)),
        filter: () => filterGradient(last(dy as tf.Tensor), last(x), filter.shape, window, tap),
      };
    },
  };
}

/** Dilated `conv2d`, `conv1d`, `depthwiseConv2d` and `separableConv2d`: stock throws. */
export const dilationRepairs = (): tf.GradConfig[] => [
  dilated('Conv2D', dense),
  dilated('DepthwiseConv2dNative', depthwise),
];
