import { KernelName, type MatMulTangentInputs } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { isEmulated } from './emulated.ts';
import { filled } from './filled.ts';
import { expectFloat, type KernelCall, over, type Registration } from './over.ts';
import { product, sizesOf } from './product.ts';

/** op(a)·op(b) [+ bias, ReLU] by our own pass where it is the faster one and fits, else undefined. */
function emulatedProduct(call: KernelCall): tf.TensorInfo | undefined {
  const { inputs, attrs, backend } = call;
  const { a, b, bias } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo; bias?: tf.TensorInfo };
  const activation = (attrs.activation as string | null | undefined) ?? 'linear';
  if (!isEmulated(backend.device) || (activation !== 'linear' && activation !== 'relu')) return undefined;
  if (a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
  const sizes = sizesOf(a, b, attrs.transposeA === true, attrs.transposeB === true);
  if (sizes === undefined || tf.util.sizeFromShape(a.shape) === 0 || tf.util.sizeFromShape(b.shape) === 0)
    return undefined;
  if (bias != null && (bias.shape.at(-1) !== sizes.n || tf.util.sizeFromShape(bias.shape) !== sizes.n))
    return undefined;
  const target = backend.makeTensorInfo(sizes.shape, 'float32');
  const relu = activation === 'relu';
  product(backend, {
    sizes,
    left: { a },
    right: { b },
    biases: bias == null ? {} : { bias },
    outputs: { y: { target, terms: [['a', 'b']], bias: bias == null ? undefined : 'bias', relu } },
  });
  return target;
}

/** A product over an empty axis is zero; the stock kernel asks the device for buffers of no size. */
function emptyProduct({ inputs, attrs, backend }: KernelCall): tf.TensorInfo | undefined {
  const { a, b } = inputs as Record<'a' | 'b', tf.TensorInfo>;
  const { transposeA, transposeB } = attrs;
  if (tf.util.sizeFromShape(a.shape) !== 0 && tf.util.sizeFromShape(b.shape) !== 0) return undefined;
  const batch = tf.backend_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [rows, columns] = [a.shape.at(transposeA === true ? -1 : -2)!, b.shape.at(transposeB === true ? -2 : -1)!];
  return filled(backend, [...batch, rows, columns], 0);
}

export const productKernels: readonly Registration[] = [
  over('BatchMatMul', (stock) => (call) => emptyProduct(call) ?? emulatedProduct(call) ?? stock(call)),
  over('_FusedMatMul', (stock) => (call) => emulatedProduct(call) ?? stock(call)),
];

/** A product and its tangent in one pass: every number of a, b, ȧ and ḃ is loaded once for both. */
export const tangentKernel: Registration = over(KernelName.MatMulTangent, () => ({ inputs, attrs, backend }) => {
  const name = KernelName.MatMulTangent;
  const { a, b, da, db, bias, dbias } = inputs as unknown as Record<
    keyof MatMulTangentInputs,
    tf.TensorInfo | undefined
  >;
  expectFloat(name, a, b, da, db, bias, dbias);
  const sizes = sizesOf(a!, b!, attrs.transposeA === true, attrs.transposeB === true)!;
  const [y, dy] = [0, 1].map(() => backend.makeTensorInfo(sizes.shape, 'float32')) as [tf.TensorInfo, tf.TensorInfo];
  product(backend, {
    sizes,
    left: { a: a!, ...(da && { da }) },
    right: { b: b!, ...(db && { db }) },
    biases: { ...(bias && { bias }), ...(dbias && { dbias }) },
    outputs: {
      y: { target: y, terms: [['a', 'b']], bias: bias && 'bias' },
      dy: {
        target: dy,
        terms: [...(da ? [['da', 'b'] as const] : []), ...(db ? [['a', 'db'] as const] : [])],
        bias: dbias && 'dbias',
      },
    },
  });
  return [y, dy];
});
