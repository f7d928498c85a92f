import * as tf from '@tensorflow/tfjs-core';
import type { KernelAttrs, KernelInputs } from '../interpret/index.ts';
import { matMulTangent } from '../kernels/matmul.ts';
import { KernelName } from '../kernels/names.ts';
import { hasKernel } from '../kernels/run.ts';
import { pastActivation } from './rules/fused.ts';
import type { Tangent } from './tangent.ts';

type Attrs = { transposeA: boolean; transposeB: boolean; activation?: string; leakyreluAlpha?: number };

const activations: Readonly<Record<string, (z: tf.Tensor) => tf.Tensor>> = {
  linear: (z) => z,
  relu: tf.relu,
  relu6: tf.relu6,
  sigmoid: tf.sigmoid,
  elu: tf.elu,
};

const isMatrix = (x: tf.Tensor): boolean => x.shape.slice(0, -2).every((extent) => extent === 1);
const asMatrix = (x: tf.Tensor): tf.Tensor => (x.rank === 2 ? x : tf.reshape(x, x.shape.slice(-2)));

/**
 * y and ẏ of a product of two matrices by one kernel of ours, which packs each factor once and adds in place.
 *
 * @returns Both, as tensors of the current scope; undefined if the kernel does not exist or does not fit.
 */
export function matMulWithTangent(
  name: string,
  inputs: KernelInputs,
  attrs: KernelAttrs,
  tangentOf: (tensor: tf.Tensor) => Tangent | undefined,
): [y: tf.Tensor, tangent: tf.Tensor] | undefined {
  if ((name !== 'BatchMatMul' && name !== '_FusedMatMul') || !hasKernel(KernelName.MatMulTangent)) return undefined;
  const { a, b, bias } = inputs as Record<string, tf.Tensor> & { a: tf.Tensor; b: tf.Tensor };
  const { transposeA, transposeB, activation = 'linear', leakyreluAlpha } = attrs as unknown as Attrs;
  const [da, db] = [tangentOf(a), tangentOf(b)];
  const dbias = bias == null ? undefined : tangentOf(bias);
  // A structured tangent alone is cheaper as a product with its factors.
  const structured = db !== undefined && !(db instanceof tf.Tensor);
  if (!isMatrix(a) || !isMatrix(b) || (da === undefined && (db === undefined || structured))) return undefined;
  const activate = activations[activation];
  if (activate === undefined || (bias != null && bias.rank !== 1)) return undefined;
  return tf.tidy(() => {
    const dense = (x: Tangent | undefined): tf.Tensor | undefined =>
      x === undefined || x instanceof tf.Tensor ? x : x.materialize();
    const matrix = (x: tf.Tensor | undefined): tf.Tensor | undefined => x && asMatrix(x);
    const factored = structured && !transposeA ? db.reshape?.(b.shape.slice(-2)) : undefined;
    const usesFactors = factored?.product !== undefined;
    const optional = {
      da: matrix(dense(da)),
      db: usesFactors ? undefined : matrix(dense(db)),
      bias: bias ?? undefined,
      dbias: dense(dbias),
    };
    const present = Object.fromEntries(Object.entries(optional).filter(([, x]) => x !== undefined));
    const [z, before] = matMulTangent({ a: asMatrix(a), b: asMatrix(b), ...present }, { transposeA, transposeB });
    const along = usesFactors ? factored.product!(asMatrix(a), transposeB, before) : before;
    factored?.dispose();
    const y = activate(z);
    if (y !== z) z.dispose(); // two activations at once are the peak of a pass
    const tangent = activation === 'linear' ? along : pastActivation(activation, y, along, leakyreluAlpha);
    const shape = [...(a.rank > b.rank ? a : b).shape.slice(0, -2), ...y.shape];
    return [tf.reshape(y, shape), tf.reshape(tangent, shape)] as [tf.Tensor, tf.Tensor];
  });
}
