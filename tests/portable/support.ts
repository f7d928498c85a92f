// Stands for `@frugal/test-support` where suites are bundled: what needs no files.
export { normals } from '../support/arrays.ts';
export { bitsOf } from '../support/bits.ts';
export { expectClose, largestDifference } from '../support/close.ts';
export { itConforms } from '../support/conformance.ts';
export { expectGradient, normalTensor } from '../support/gradients.ts';
export { expectNoLeak } from '../support/leaks.ts';
export { type NoisyBatch, type NoisyParams, noisyExamples, noisyNet } from '../support/noisy-net.ts';
export { describeEachBackend } from './backends.ts';
