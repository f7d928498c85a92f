import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';

/** Runs `body` and expects as many live tensors and bytes afterwards as before. */
export async function expectNoLeak(body: () => unknown): Promise<void> {
  const before = tf.memory();
  await body();
  const after = tf.memory();
  expect(
    { tensors: after.numTensors, buffers: after.numDataBuffers, bytes: after.numBytes },
    'live after the call',
  ).toEqual({
    tensors: before.numTensors,
    buffers: before.numDataBuffers,
    bytes: before.numBytes,
  });
}
