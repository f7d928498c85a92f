import { KernelName } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { Registration } from '../backend/ops.ts';

export const lossKernels: readonly Registration[] = [
  {
    name: KernelName.SoftmaxCrossEntropy,
    bind(ops) {
      const attributes = [...ops.float, ops.type('Tlabels', 'int32')];
      return ({ inputs }) => {
        const { logits, labels } = inputs as { logits: tf.TensorInfo; labels: tf.TensorInfo };
        const handles = [ops.handle(logits), ops.handle(labels)];
        const outputs = ops.binding.executeOp('SparseSoftmaxCrossEntropyWithLogits', attributes, handles, 2);
        return outputs.map((output) => ops.tensor(output));
      };
    },
  },
];
