import * as tf from '@tensorflow/tfjs-core';
import { checkFloats } from './check.ts';
import { KernelName } from './names.ts';
import { differentiable, hasKernel, runKernel } from './run.ts';
import type { ReluGradInputs } from './types.ts';

/**
 * dy where y > 0, else 0: takes a tangent or a gradient past a ReLU, in one pass over memory where the backend can.
 * Differentiable in dy.
 *
 * @param tensors `y` is the output of the ReLU; `dy` has its shape, or axes of directions in front.
 * @throws {KernelArgumentError} If the shapes do not fit or a tensor is not float32.
 */
export function reluGrad({ dy, y }: ReluGradInputs): tf.Tensor {
  const name = KernelName.ReluGrad;
  checkFloats(name, 'y', y);
  const lead = new Array<null>(Math.max(0, dy.rank - y.rank)).fill(null);
  checkFloats(name, 'dy', dy, [...lead, ...y.shape]);
  return differentiable(
    { dy },
    (save) => {
      save([y]);
      return hasKernel(name) ? runKernel(name, { dy, y })[0]! : tf.mul(dy, tf.step(y));
    },
    (g, [saved]) => ({ dy: () => reluGrad({ dy: g, y: saved! }) }),
  );
}
