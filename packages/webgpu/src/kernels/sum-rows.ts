import * as tf from '@tensorflow/tfjs-core';
import { dispatch, type Internals } from './dispatch.ts';

const WORKGROUP = 16;

/** A thread per column; four rows at a time, so that a loop's turn is worth its branch. */
const CODE = `fn main(id: Ids) {
  let column = threadIndex(id);
  if (column >= u.n) { return; }
  var sum = 0.0;
  let whole = u.rows / 4u * 4u;
  var place = column;
  for (var row = 0u; row < whole; row += 4u) {
    sum += (x[place] + x[place + u.n]) + (x[place + 2u * u.n] + x[place + 3u * u.n]);
    place += 4u * u.n;
  }
  for (var row = whole; row < u.rows; row++) { sum += x[place]; place += u.n; }
  result[column] = sum;
}`;

/**
 * Sums over the first `axes` axes, e.g. the gradient of a bias. tfjs transposes and then reduces at barriers, which
 * takes an emulated device some twenty times as long.
 */
export function sumRows(b: Internals, x: tf.TensorInfo, axes: number, shape: readonly number[]): tf.TensorInfo {
  const result = b.makeTensorInfo(shape, 'float32');
  const n = tf.util.sizeFromShape(x.shape.slice(axes));
  dispatch(b, {
    key: 'frugal sum rows',
    code: () => CODE,
    writes: { result },
    reads: { x },
    uniforms: [
      ['n', 'u32', n],
      ['rows', 'u32', tf.util.sizeFromShape(x.shape.slice(0, axes))],
    ],
    workgroups: Math.ceil(n / WORKGROUP),
    workgroupSize: WORKGROUP,
  });
  return result;
}
