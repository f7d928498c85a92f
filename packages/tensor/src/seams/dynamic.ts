import type { Tensor } from '@tensorflow/tfjs-core';

/** The result of a network that fits its compute to the example: comparable across all kinds of them. */
export interface DynamicRun {
  /** The caller owns it. */
  output: Tensor;
  /** FLOPs really spent (2 per multiply-add), per example or per token. */
  cost: number[];
}
