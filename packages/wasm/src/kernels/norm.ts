import { KernelName, type LayerNormAttrs } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { expectFloat, over, type Registration, refusal } from './over.ts';

/** Rows and columns of x, whose last axis is normalised. */
function layout(name: string, x: tf.TensorInfo, ...vectors: readonly tf.TensorInfo[]): [number, number] {
  const columns = x.shape.at(-1) ?? 0;
  for (const v of vectors) {
    if (!tf.util.arraysEqual(v.shape, [columns]))
      throw refusal(name, `normalises the last axis of [${x.shape}], got a vector of shape [${v.shape}]`);
  }
  return [columns === 0 ? 0 : tf.util.sizeFromShape(x.shape) / columns, columns];
}

/** Partial sums over the rows: their number must not depend on the threads. */
const partials = (rows: number): number => Math.max(1, Math.min(16, Math.ceil(rows / 32)));

/** The row groups summed, in order, into `out`. */
export function sumPartials(
  runtime: Runtime,
  columns: number,
  parts: number,
  from: number,
  step: number,
  out: number,
): void {
  runtime.run(Op.SumPartials, [columns, parts, from, step, out]);
}

export const normKernels: readonly Registration[] = [
  over(KernelName.LayerNorm, (runtime) => ({ inputs, attrs }) => {
    const { x, scale, offset } = inputs as { x: tf.TensorInfo; scale: tf.TensorInfo; offset: tf.TensorInfo };
    const { epsilon } = attrs as unknown as LayerNormAttrs;
    expectFloat(KernelName.LayerNorm, x, scale, offset);
    const [rows, columns] = layout(KernelName.LayerNorm, x, scale, offset);
    const lead = x.shape.slice(0, -1);
    const [y, mean, rstd] = [runtime.output(x.shape), runtime.output(lead), runtime.output(lead)];
    if (rows * columns === 0) return [y, mean, rstd];
    const addresses = [x, scale, offset, y, mean, rstd].map((t) => runtime.address(t));
    runtime.run(Op.LayerNorm, [rows, columns, ...addresses, bits(epsilon)], runtime.chunks(rows * columns * 4, rows));
    return [y, mean, rstd];
  }),
  over(KernelName.LayerNormGrad, (runtime) => ({ inputs }) => {
    const { x, scale, mean, rstd, dy } = inputs as Record<'x' | 'scale' | 'mean' | 'rstd' | 'dy', tf.TensorInfo>;
    expectFloat(KernelName.LayerNormGrad, x, scale, mean, rstd, dy);
    const [rows, columns] = layout(KernelName.LayerNormGrad, x, scale);
    const [dx, dscale, doffset] = [runtime.output(x.shape), runtime.output(scale.shape), runtime.output(scale.shape)];
    const parts = partials(rows);
    const sums = runtime.workspace(parts * 2 * columns * 4);
    const addresses = [x, scale, mean, rstd, dy, dx].map((t) => runtime.address(t));
    runtime.run(Op.LayerNormGrad, [rows, columns, ...addresses, sums], parts, rows * columns * 8);
    sumPartials(runtime, columns, parts, sums, 2 * columns, runtime.address(dscale));
    sumPartials(runtime, columns, parts, sums + columns * 4, 2 * columns, runtime.address(doffset));
    return [dx, dscale, doffset];
  }),
];
