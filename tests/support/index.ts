export { describeEachBackend } from './backends.ts';
export { expectClose, largestDifference } from './close.ts';
export { expectNoLeak } from './leaks.ts';
