import { KernelName } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { ACTIVATION } from './matmul.ts';
import { expectFloat, over, type Registration, refusal } from './over.ts';

/** An exponential costs about as much as these multiply-adds. */
const EXP_WORK = 8;

function activate(runtime: Runtime, x: tf.TensorInfo, name: string, parameter = 0): tf.TensorInfo {
  const out = runtime.output(x.shape);
  const n = tf.util.sizeFromShape(x.shape);
  const args = [n, runtime.address(x), runtime.address(out), ACTIVATION[name]!, bits(parameter)];
  runtime.run(Op.Activate, args, runtime.chunks(n * EXP_WORK, Math.ceil(n / 1024)));
  return out;
}

export const elementwiseKernels: readonly Registration[] = [
  over(KernelName.Gelu, (runtime) => ({ inputs }) => {
    const x = inputs['x']!;
    expectFloat(KernelName.Gelu, x);
    return activate(runtime, x, 'gelu');
  }),
  over(KernelName.GeluGrad, (runtime) => ({ inputs }) => {
    const { x, dy } = inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
    expectFloat(KernelName.GeluGrad, x, dy);
    if (!tf.util.arraysEqual(x.shape, dy.shape))
      throw refusal(KernelName.GeluGrad, `takes equal shapes, got [${x.shape}] and [${dy.shape}]`);
    const out = runtime.output(x.shape);
    const n = tf.util.sizeFromShape(x.shape);
    const addresses = [x, dy, out].map((t) => runtime.address(t));
    runtime.run(Op.GeluGrad, [n, ...addresses], runtime.chunks(n * EXP_WORK, Math.ceil(n / 1024)));
    return out;
  }),
];
