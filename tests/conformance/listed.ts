/** Kernels that a backend gets wrong or lacks, with the reason; everything else must agree with cpu. */
export const listed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  wasm: {
    RotateWithOffset: 'stock kernel: rotates about another point',
    'Complex, Real, Imag': 'tfjs has no complex numbers on wasm',
    ComplexAbs: 'tfjs has no complex numbers on wasm',
    FFT: 'tfjs has no complex numbers on wasm',
    IFFT: 'tfjs has no complex numbers on wasm',
  },
  webgpu: {
    SparseSegmentSum: 'stock kernel reads synchronously',
    SparseSegmentMean: 'stock kernel reads synchronously',
    TopK: 'stock kernel: indices are wrong where the last axis has one element',
    MaxPool3D: 'stock gradient kernel does not compile for five axes',
    AvgPool3D: 'a stock kernel does not compile for five axes (size 1, stride 2)',
    DenseBincount: 'stock kernel: takes the number of bins for the number of columns',
    Transform: 'stock kernel fills and interpolates otherwise',
  },
  tensorflow: {},
};

/** The largest difference from cpu, relative to 1 + the largest number. */
export function toleranceOf(backend: string, name: string): number {
  if (backend !== 'webgpu') return 2e-5;
  // WGSL allows sines and cosines an error of 5e-4.
  return /^(Sin|Cos|Tan)\b|FFT/.test(name) ? 1e-3 : 1e-4;
}
