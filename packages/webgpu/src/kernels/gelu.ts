import { KernelName } from '@frugal/tensor';
import { elementwise } from './elementwise.ts';
import { expectFloat, over, type Registration } from './over.ts';

/** GELU is x·σ(z), and σ keeps its digits where 1 + tanh has none; beyond ±80 it is 0 or 1, and exp may overflow there. */
const SIGMOID = `let z = clamp(x * (1.5957691216057308 + 0.07135481627260025 * x * x), -80.0, 80.0);
  let e = exp(-z);
  let s = 1.0 / (1.0 + e);`;
const SLOPE = '(1.5957691216057308 + 0.21406444881780076 * x * x)';

export const geluKernels: readonly Registration[] = [
  over(KernelName.Gelu, () => ({ inputs, backend }) => {
    const a = inputs['x']!;
    expectFloat(KernelName.Gelu, a);
    return elementwise(backend, KernelName.Gelu, { a }, `${SIGMOID} result[i] = x * s;`);
  }),
  over(KernelName.GeluGrad, () => ({ inputs, backend }) => {
    const [a, dy] = [inputs['x']!, inputs['dy']!];
    expectFloat(KernelName.GeluGrad, a, dy);
    const code = `${SIGMOID} result[i] = dy[i] * s * (1.0 + x * ${SLOPE} * (e * s));`;
    return elementwise(backend, KernelName.GeluGrad, { a, dy }, code);
  }),
];
