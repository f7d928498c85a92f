import * as tf from '@tensorflow/tfjs-core';
import { dispatch, type Internals, type Uniform } from './dispatch.ts';
import { over, type Registration } from './over.ts';

const RANK = 6;

/** An element of the output finds its place in the input, axis by axis from the last. */
const TRANSPOSE = `fn main(id: Ids) {
  let i = threadIndex(id);
  if (i >= u.n) { return; }
  var rest = i;
  var place = 0u;
  ${Array.from({ length: RANK }, (_, k) => `place += rest % u.size${k} * u.stride${k}; rest /= u.size${k};`).join('\n  ')}
  result[i] = x[place];
}`;

/** The axes of `x` in the order `perm`, whatever its type. */
export function transpose(b: Internals, x: tf.TensorInfo, perm: readonly number[]): tf.TensorInfo {
  const strides = [...tf.util.computeStrides(x.shape), 1];
  const result = b.makeTensorInfo(
    perm.map((axis) => x.shape[axis]!),
    x.dtype,
  );
  const n = tf.util.sizeFromShape(x.shape);
  const axes = Array.from({ length: RANK }, (_, k) => perm.at(-1 - k));
  dispatch(b, {
    key: `frugal Transpose ${x.dtype}`,
    code: () => TRANSPOSE,
    writes: { result },
    reads: { x },
    uniforms: [
      ['n', 'u32', n],
      ...axes.map((axis, k): Uniform => [`size${k}`, 'u32', axis === undefined ? 1 : x.shape[axis]!]),
      ...axes.map((axis, k): Uniform => [`stride${k}`, 'u32', axis === undefined ? 0 : strides[axis]!]),
    ],
    workgroups: Math.ceil(n / 64),
    workgroupSize: 64,
  });
  return result;
}

/** Whether tfjs's own program does: it does not compile for integers and booleans. */
export const isStockTransposable = ({ dtype, shape }: tf.TensorInfo): boolean =>
  dtype === 'float32' || shape.length > RANK;

export const integerTranspose: Registration = over('Transpose', (stock) => (call) => {
  const x = call.inputs.x!;
  return isStockTransposable(x) ? stock(call) : transpose(call.backend, x, call.attrs.perm as number[]);
});
