// Shared by the tests of this package; not part of it.
import { dense, mlp } from '@frugal/nn';
import { key, randomNormal } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import { type ExitModel, withExits } from './exit-model.ts';
import { boostedHead, cascadedHead, plainHead } from './heads.ts';

/** An MLP of four layers with an exit on the input and two on the way, one of each kind of head. */
export function smallModel(): ExitModel {
  return withExits(mlp([6, 16, 16, 16, 3]), [
    { at: 0, head: plainHead(dense(6, 3)) },
    { at: 1, head: cascadedHead(dense(16 + 3, 3), 3) },
    { at: 2, head: boostedHead(dense(16, 3)) },
  ]) as ExitModel;
}

/** Random examples. */
export function examples(size: number, seed = 1): tf.Tensor {
  return randomNormal(key(seed), [size, 6]);
}
