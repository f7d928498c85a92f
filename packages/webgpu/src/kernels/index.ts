import { geluKernels } from './gelu.ts';
import { layerNormKernels } from './layer-norm.ts';
import { register } from './over.ts';
import { productKernels, tangentKernel } from './products.ts';
import { randomKernels } from './random.ts';
import { repairs } from './repairs.ts';
import { softmaxCrossEntropyKernels } from './softmax-cross-entropy.ts';
import { stepKernels } from './steps.ts';

/**
 * Registers the kernels of `@frugal/tensor` and the repaired ones of tfjs for backend 'webgpu'.
 *
 * @param emulated Whether the device calculates on the CPU: some are known to be faster than tfjs's only there.
 */
export function registerKernels(emulated: boolean): void {
  register([
    ...randomKernels,
    ...stepKernels,
    ...softmaxCrossEntropyKernels,
    ...layerNormKernels,
    ...geluKernels,
    ...productKernels,
    ...repairs,
    ...(emulated ? [tangentKernel] : []),
  ]);
}
