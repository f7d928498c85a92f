import * as tf from '@tensorflow/tfjs-core';

/** Puts the elements of `x` along an axis at begin, begin + stride, … of an axis of `size` zeros. */
function spread(x: tf.Tensor, axis: number, size: number, begin: number, stride: number): tf.Tensor {
  const n = x.shape[axis]!;
  const outer = tf.util.sizeFromShape(x.shape.slice(0, axis));
  const inner = tf.util.sizeFromShape(x.shape.slice(axis + 1));
  const step = Math.abs(stride);
  const span = (n - 1) * step + 1;
  const first = stride > 0 ? begin : begin - span + 1;
  let rows = tf.reshape(x, [outer, n, inner]);
  if (stride < 0 && n > 1) rows = tf.reverse(rows, 1);
  if (step > 1 && n > 1) {
    const gaps = tf.pad(tf.reshape(rows, [outer * n, 1, inner]), [
      [0, 0],
      [0, step - 1],
      [0, 0],
    ]);
    rows = tf.slice(tf.reshape(gaps, [outer, n * step, inner]), [0, 0, 0], [outer, span, inner]);
  }
  const placed = tf.pad(rows, [
    [0, 0],
    [first, size - first - span],
    [0, 0],
  ]);
  return tf.reshape(placed, [...x.shape.slice(0, axis), size, ...x.shape.slice(axis + 1)]);
}

/** `stridedSlice`: stock has no gradient. */
export const stridedSliceRepairs = (): tf.GradConfig[] => [
  {
    kernelName: 'StridedSlice',
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attrs) => {
      const { shape } = (saved as [tf.Tensor])[0];
      const a = attrs as unknown as Record<'begin' | 'end' | 'strides', number[]> &
        Record<'beginMask' | 'endMask' | 'ellipsisMask' | 'newAxisMask' | 'shrinkAxisMask', number>;
      const info = tf.slice_util.sliceInfo(
        shape,
        a.begin,
        a.end,
        a.strides,
        a.beginMask,
        a.endMask,
        a.ellipsisMask,
        a.newAxisMask,
        a.shrinkAxisMask,
      );
      return {
        x: () => {
          if ((dy as tf.Tensor).size === 0) return tf.zeros(shape);
          // As before new axes came and single ones went.
          const sizes = info.begin.map((begin, axis) => Math.ceil((info.end[axis]! - begin) / info.strides[axis]!));
          const dense = tf.reshape(dy as tf.Tensor, sizes);
          return shape.reduce(
            (dx, size, axis) => spread(dx, axis, size, info.begin[axis]!, info.strides[axis]!),
            dense,
          );
        },
      };
    },
  },
];
