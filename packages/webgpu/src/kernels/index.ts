import { geluKernels } from './gelu.ts';
import { layerNormKernels } from './layer-norm.ts';
import { register } from './over.ts';
import { randomKernels } from './random.ts';
import { repairs } from './repairs.ts';
import { softmaxCrossEntropyKernels } from './softmax-cross-entropy.ts';
import { stepKernels } from './steps.ts';

/** Registers the kernels of `@frugal/tensor` and the repaired ones of tfjs for backend 'webgpu'. */
export function registerKernels(): void {
  register([
    ...randomKernels,
    ...stepKernels,
    ...softmaxCrossEntropyKernels,
    ...layerNormKernels,
    ...geluKernels,
    ...repairs,
  ]);
}
