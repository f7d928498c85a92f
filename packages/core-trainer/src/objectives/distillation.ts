import type { Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { type DistillationLossOptions, distillationLoss } from '../losses/index.ts';
import type { Objective } from './objective.ts';

/** The targets of `distillation`: those of the task, and the teacher's logits. */
export type DistillationTargets<Y extends Tree = tf.Tensor> = { readonly task: Y; readonly teacher: tf.Tensor };

/** Options of `distillation`. */
export interface DistillationOptions extends DistillationLossOptions {
  /** The teacher's share of the loss, in [0, 1]; the rest is the task's own. Default 0.9. */
  share?: number;
}

/**
 * A task learned from a teacher too (arXiv 1503.02531): share · T²·KL(teacher ‖ student) + (1 − share) · task loss.
 *
 * @param task - What the data say, e.g. `classification()`; its metrics are reported.
 * @param teacher - Logits from the task's inputs; runs in `examples`, outside of the gradient.
 */
export function distillation<Raw extends Tree, X extends Tree, Y extends Tree>(
  task: Objective<Raw, X, Y>,
  teacher: (x: X) => tf.Tensor,
  options: DistillationOptions = {},
): Objective<Raw, X, DistillationTargets<Y>> {
  const { share = 0.9 } = options;
  checkNumber('share', share, { min: 0, max: 1 });
  return {
    examples: (raw) => {
      const { x, y } = task.examples(raw);
      return { x, y: { task: y, teacher: teacher(x) } };
    },
    loss: (output, y) =>
      tf.tidy(() => {
        const taught = distillationLoss(output, y.teacher, options);
        return tf.add(tf.mul(taught, share), tf.mul(task.loss(output, y.task), 1 - share));
      }) as tf.Tensor1D,
    metrics: Object.fromEntries(
      Object.entries(task.metrics).map(([name, metric]) => [
        name,
        (output: tf.Tensor, y: DistillationTargets<Y>) => metric(output, y.task),
      ]),
    ),
  };
}
