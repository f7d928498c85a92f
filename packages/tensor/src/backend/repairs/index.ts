import * as tf from '@tensorflow/tfjs-core';
import { batchNormRepairs, dropMissingInputs } from './batch-norm.ts';
import { broadcastRepairs } from './broadcast.ts';
import { conditionRepairs } from './conditions.ts';
import { cumulativeRepairs } from './cumulative.ts';
import { dilationRepairs } from './dilation.ts';
import { einsumRepairs } from './einsum.ts';
import { extremumRepairs } from './extrema.ts';
import { imageRepairs } from './images.ts';
import { indexingRepairs } from './indexing.ts';
import { listRepairs } from './lists.ts';
import { paddingRepairs } from './padding.ts';
import { poolingRepairs } from './pooling.ts';
import { stridedSliceRepairs } from './strided-slice.ts';
import { sumRepairs } from './sums.ts';

let repaired = false;

/**
 * Replaces tfjs's gradients that are wrong, and adds those that are missing and that models use; see docs/gradients.md.
 *
 * Call it when tfjs's own are registered, and again for each backend that starts.
 */
export function repairGradients(): void {
  dropMissingInputs();
  if (repaired) return;
  repaired = true;
  const repairs = [
    batchNormRepairs,
    broadcastRepairs,
    conditionRepairs,
    cumulativeRepairs,
    dilationRepairs,
    einsumRepairs,
    extremumRepairs,
    imageRepairs,
    indexingRepairs,
    listRepairs,
    paddingRepairs,
    poolingRepairs,
    stridedSliceRepairs,
    sumRepairs,
  ];
  for (const config of repairs.flatMap((repair) => repair())) {
    if (tf.getGradient(config.kernelName) !== undefined) tf.unregisterGradient(config.kernelName);
    tf.registerGradient(config);
  }
}
