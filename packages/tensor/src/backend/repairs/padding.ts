import * as tf from '@tensorflow/tfjs-core';

/** Undoes mirroring along one axis: what was reflected comes back to where it was taken from. */
function fold(dy: tf.Tensor, axis: number, [before, after]: [number, number], overlap: number): tf.Tensor {
  const size = dy.shape[axis]! - before - after;
  const part = (begin: number, length: number): tf.Tensor => {
    const starts = dy.shape.map((_, i) => (i === axis ? begin : 0));
    return tf.slice(
      dy,
      starts,
      dy.shape.map((full, i) => (i === axis ? length : full)),
    );
  };
  const place = (x: tf.Tensor, begin: number): tf.Tensor => {
    const length = x.shape[axis]!;
    return tf.pad(
      x,
      x.shape.map((_, i): [number, number] => (i === axis ? [begin, size - begin - length] : [0, 0])),
    );
  };
  let dx = part(before, size);
  // The border itself is repeated by 'symmetric' (overlap 0) and not by 'reflect' (1).
  if (before > 0) dx = tf.add(dx, place(tf.reverse(part(0, before), axis), overlap));
  if (after > 0) dx = tf.add(dx, place(tf.reverse(part(before + size, after), axis), size - after - overlap));
  return dx;
}

/** `mirrorPad`: stock drops the gradient of everything that was mirrored. */
export const paddingRepairs = (): tf.GradConfig[] => [
  {
    kernelName: 'MirrorPad',
    gradFunc: (dy, _saved, attrs) => {
      const { paddings, mode } = attrs as unknown as { paddings: [number, number][]; mode: 'reflect' | 'symmetric' };
      const overlap = mode === 'reflect' ? 1 : 0;
      return { x: () => paddings.reduce((dx, padding, axis) => fold(dx, axis, padding, overlap), dy as tf.Tensor) };
    },
  },
];
