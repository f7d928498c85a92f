import * as tf from '@tensorflow/tfjs-core';

type Size = number | number[];

interface Axis {
  readonly size: number;
  readonly out: number;
  readonly window: number;
  readonly stride: number;
  readonly before: number;
  readonly after: number;
}

interface PoolInfo {
  axes: Axis[];
}

function info2d(shape: number[], attrs: tf.NamedAttrMap): PoolInfo {
  const { filterSize, strides, pad, dimRoundingMode } = attrs as unknown as tf.AvgPoolAttrs;
  const info = tf.backend_util.computePool2DInfo(shape as never, filterSize, strides, 1, pad, dimRoundingMode);
  const { padInfo: p } = info;
  return {
    axes: [
      {
        size: info.inHeight,
        out: info.outHeight,
        window: info.filterHeight,
        stride: info.strideHeight,
        before: p.top,
        after: p.bottom,
      },
      {
        size: info.inWidth,
        out: info.outWidth,
        window: info.filterWidth,
        stride: info.strideWidth,
        before: p.left,
        after: p.right,
      },
    ],
  };
}

function info3d(shape: number[], attrs: tf.NamedAttrMap): PoolInfo {
  const { filterSize, strides, pad, dimRoundingMode } = attrs as unknown as tf.AvgPool3DAttrs;
  const info = tf.backend_util.computePool3DInfo(shape as never, filterSize, strides, 1, pad, dimRoundingMode);
  const { padInfo: p } = info;
  return {
    axes: [
      {
        size: info.inDepth,
        out: info.outDepth,
        window: info.filterDepth,
        stride: info.strideDepth,
        before: p.front,
        after: p.back,
      },
      {
        size: info.inHeight,
        out: info.outHeight,
        window: info.filterHeight,
        stride: info.strideHeight,
        before: p.top,
        after: p.bottom,
      },
      {
        size: info.inWidth,
        out: info.outWidth,
        window: info.filterWidth,
        stride: info.strideWidth,
        before: p.left,
        after: p.right,
      },
    ],
  };
}

/** How much larger a window's share is than 1 ÷ window, as part of it lies in the padding: window ÷ inside. */
function corrections({ size, out, window, stride, before }: Axis): number[] {
  return Array.from({ length: out }, (_, i) => {
    const start = i * stride - before;
    return window / (Math.min(size, start + window) - Math.max(0, start));
  });
}

/**
 * Gradient of average pooling with padding.
 *
 * The forward pass averages over the part of a window inside of the image; stock gradients divide by the whole window.
 * Here the padding is made explicit, where the kernel is right, and `dy` corrected for the windows at the border.
 */
function averagePool(kernelName: string, info: (shape: number[], attrs: tf.NamedAttrMap) => PoolInfo): tf.GradConfig {
  const stock = tf.getGradient(kernelName)!;
  return {
    ...stock,
    gradFunc: (dy, saved, attrs) => {
      const [x] = saved as [tf.Tensor];
      const { axes } = info(x.shape, attrs);
      if (axes.every(({ before, after }) => before === 0 && after === 0)) return stock.gradFunc(dy, saved, attrs);
      return {
        x: () =>
          paddedGradient(dy as tf.Tensor, x.shape, axes, kernelName, attrs.filterSize as Size, attrs.strides as Size),
      };
    },
  };
}

function paddedGradient(
  dy: tf.Tensor,
  shape: number[],
  axes: readonly Axis[],
  kernelName: string,
  filterSize: Size,
  strides: Size,
): tf.Tensor {
  const channels = shape.at(-1)!;
  let corrected = dy;
  for (const [i, axis] of axes.entries()) {
    const aligned = axes.map((_, j) => (j === i ? axis.out : 1));
    corrected = tf.mul(corrected, tf.tensor(corrections(axis), [1, ...aligned, 1]));
  }
  // Only the shape of `input` is looked at.
  const input = tf.zeros([shape[0]!, ...axes.map(({ size, before, after }) => before + size + after), channels]);
  const attrs = { filterSize, strides, pad: 'valid' };
  const padded: tf.Tensor = tf.engine().runKernel(`${kernelName}Grad`, { dy: corrected, input }, attrs);
  // In three dimensions padding can be negative: what the windows step over at a border gets no gradient.
  const over = axes.map(({ before, after }): [number, number] => [Math.max(-before, 0), Math.max(-after, 0)]);
  const inside = axes.map(({ size }, i) => size - over[i]![0] - over[i]![1]);
  const begin = [0, ...axes.map(({ before }) => Math.max(before, 0)), 0];
  return tf.pad(tf.slice(padded, begin, [shape[0]!, ...inside, channels]), [[0, 0], ...over, [0, 0]]);
}

/** `avgPool` and `avgPool3d` with padding 'same' or by a number: stock is wrong at the border. */
export const poolingRepairs = (): tf.GradConfig[] => [averagePool('AvgPool', info2d), averagePool('AvgPool3D', info3d)];
