export { normals } from './arrays.ts';
export { describeEachBackend } from './backends.ts';
export { bitsOf } from './bits.ts';
export { type Chromium, chromium, hasChromium, keepBrowser } from './chromium.ts';
export { expectClose, largestDifference } from './close.ts';
export { type Conformance, itConforms } from './conformance.ts';
export { type GradientCase, gradientCases, type Verdict } from './gradient-cases/index.ts';
export {
  complexGradients,
  type GradientSample,
  gradientNames,
  gradientSamples,
  valueAndGradients,
} from './gradient-samples.ts';
export { type ExpectGradientOptions, expectGradient, normalTensor } from './gradients.ts';
export { isHooked } from './hooked.ts';
export { layerOutput } from './layers.ts';
export { expectNoLeak } from './leaks.ts';
export { type NoisyBatch, type NoisyParams, noisyExamples, noisyNet } from './noisy-net.ts';
export { packageNames, type Readme, readReadme, root } from './readme.ts';
export { onShapes } from './shape-backend.ts';
