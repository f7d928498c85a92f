import { KernelName } from '@frugal/tensor';
import { elementwise } from './elementwise.ts';
import { expectFloat, over, type Registration } from './over.ts';

/** tanh of what GELU looks at; beyond ±10 it is ±1, and WGSL's own may overflow there. */
const INNER = 'let t = tanh(clamp(0.7978845608028654 * x + 0.03567740813636141 * x * x * x, -10.0, 10.0));';
const SLOPE = '(0.7978845608028654 + 0.10703222440908424 * x * x)';

export const geluKernels: readonly Registration[] = [
  over(KernelName.Gelu, () => ({ inputs, backend }) => {
    const a = inputs['x']!;
    expectFloat(KernelName.Gelu, a);
    return elementwise(backend, KernelName.Gelu, { a }, `${INNER} result[i] = 0.5 * x * (1.0 + t);`);
  }),
  over(KernelName.GeluGrad, () => ({ inputs, backend }) => {
    const [a, dy] = [inputs['x']!, inputs['dy']!];
    expectFloat(KernelName.GeluGrad, a, dy);
    const code = `${INNER} result[i] = 0.5 * dy[i] * (1.0 + t + x * ${SLOPE} * (1.0 - t * t));`;
    return elementwise(backend, KernelName.GeluGrad, { a, dy }, code);
  }),
];
