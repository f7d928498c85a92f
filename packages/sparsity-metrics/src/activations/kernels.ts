import type { KernelAttrs } from '@frugal/tensor';
import { KernelName } from '@frugal/tensor';

/** Kernels whose output is rectified whatever their attributes are. */
const always: Readonly<Record<string, string>> = { Relu: 'relu', Relu6: 'relu6', [KernelName.ConvReluPool]: 'relu' };

/** Kernels that may have an activation fused in. */
const fused: ReadonlySet<string> = new Set([
  '_FusedMatMul',
  'FusedConv2D',
  'FusedDepthwiseConv2D',
  KernelName.SegmentMatMul,
]);

/**
 * The rectifier that a kernel ends with: `'relu'`, `'relu6'`, or undefined for any other kernel.
 *
 * tfjs's own kernels, with a fused activation too, and Frugal's.
 */
export function rectifierOf(kernel: string, attrs: KernelAttrs): string | undefined {
  const own = always[kernel];
  if (own !== undefined) return own;
  if (!fused.has(kernel)) return undefined;
  const activation = attrs?.activation;
  return activation === 'relu' || activation === 'relu6' ? activation : undefined;
}
