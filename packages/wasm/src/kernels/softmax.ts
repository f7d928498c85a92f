import { KernelName } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { expectFloat, over, type Registration, refusal } from './over.ts';
import { checkRows } from './rows.ts';

/** An exponential costs about as much as these multiply-adds. */
const EXP_WORK = 8;

export const softmaxKernels: readonly Registration[] = [
  over('Softmax', (runtime, stock) => (call) => {
    const logits = call.inputs['logits']!;
    const columns = logits.shape.at(-1) ?? 1;
    const rank = logits.shape.length;
    const dim = (call.attrs as unknown as { dim: number }).dim;
    if (logits.dtype !== 'float32' || (dim !== -1 && dim !== rank - 1)) return stock(call);
    const out = runtime.output(logits.shape);
    const rows = tf.util.sizeFromShape(logits.shape) / columns;
    if (rows * columns > 0) {
      const args = [rows, columns, runtime.address(logits), runtime.address(out)];
      runtime.run(Op.Softmax, args, runtime.chunks(rows * columns * EXP_WORK, rows));
    }
    return out;
  }),
  over(KernelName.SoftmaxCrossEntropy, (runtime) => ({ inputs }) => {
    const { logits, labels } = inputs as { logits: tf.TensorInfo; labels: tf.TensorInfo };
    const name = KernelName.SoftmaxCrossEntropy;
    expectFloat(name, logits);
    const [rows, columns] = logits.shape as [number, number];
    if (
      logits.shape.length !== 2 ||
      labels.dtype !== 'int32' ||
      labels.shape.length !== 1 ||
      labels.shape[0] !== rows
    ) {
      throw refusal(
        name,
        `takes logits [B, C] and int32 labels [B], got [${logits.shape}] and ${labels.dtype} [${labels.shape}]`,
      );
    }
    const start = runtime.address(labels) >>> 2;
    checkRows(`${name}: labels as columns:`, runtime.ints.subarray(start, start + rows), columns);
    const [loss, gradient] = [runtime.output([rows]), runtime.output(logits.shape)];
    if (rows === 0) return [loss, gradient];
    const addresses = [logits, labels, loss, gradient].map((t) => runtime.address(t));
    runtime.run(Op.SoftmaxCrossEntropy, [rows, columns, ...addresses], runtime.chunks(rows * columns * EXP_WORK, rows));
    return [loss, gradient];
  }),
];
