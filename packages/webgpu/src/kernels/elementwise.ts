import * as tf from '@tensorflow/tfjs-core';
import { dispatch, type Internals } from './dispatch.ts';

const WORKGROUP = 64;

/** A pass with a thread per element: `code` sets `result[i]` from `x = a[i]` and the other buffers in `reads`. */
export function elementwise(
  b: Internals,
  name: string,
  reads: Readonly<Record<string, tf.TensorInfo>> & { readonly a: tf.TensorInfo },
  code: string,
): tf.TensorInfo {
  const { shape } = reads.a;
  const result = b.makeTensorInfo(shape, 'float32');
  const n = tf.util.sizeFromShape(shape);
  dispatch(b, {
    key: `frugal ${name}`,
    code: () => `fn main(id: Ids) {
  let i = threadIndex(id);
  if (i >= u.n) { return; }
  let x = a[i];
  ${code}
}`,
    writes: { result },
    reads,
    uniforms: [['n', 'u32', n]],
    workgroups: Math.ceil(n / WORKGROUP),
    workgroupSize: WORKGROUP,
  });
  return result;
}
