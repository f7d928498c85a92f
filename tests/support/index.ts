export { normals } from './arrays.ts';
export { describeEachBackend } from './backends.ts';
export { expectClose, largestDifference } from './close.ts';
export { type Conformance, itConforms } from './conformance.ts';
export { type ExpectGradientOptions, expectGradient, normalTensor } from './gradients.ts';
export { layerOutput } from './layers.ts';
export { expectNoLeak } from './leaks.ts';
export { packageNames, type Readme, readReadme, root } from './readme.ts';
export { onShapes } from './shape-backend.ts';
