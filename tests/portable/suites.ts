/** Numeric suites that run on any backend and wherever JavaScript does, as `vitest` finds them. */
export const numericSuites: readonly string[] = [
  'packages/tensor/src/kernels/gelu.test.ts',
  'packages/tensor/src/kernels/layer-norm.test.ts',
  'packages/tensor/src/kernels/matmul.test.ts',
  'packages/tensor/src/kernels/rows.test.ts',
  'packages/tensor/src/kernels/softmax-cross-entropy.test.ts',
  'packages/tensor/src/kernels/steps.test.ts',
  'packages/tensor/src/random/samplers.test.ts',
  'tests/conformance/differentiable.test.ts',
];

/** What only WebGPU has. */
export const webgpuSuites: readonly string[] = [
  'packages/webgpu/src/kernels/dispatch.test.ts',
  'packages/webgpu/src/kernels/products.test.ts',
  'packages/webgpu/src/kernels/repairs.test.ts',
  'tests/webgpu/lost-device.test.ts',
];
