import { fillBits, fillSigns, key, randomBits, randomSigns } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { internals } from './dispatch.ts';

const members = [
  'device',
  'tensorMap',
  'commandQueueOwnedIds',
  'dispatchCountInPass',
  'uploadToGPU',
  'tensorToBinding',
  'makeUniforms',
  'makeTensorInfo',
  'ensureCommandEncoderReady',
  'endComputePassEncoder',
  'submitQueue',
  'incRef',
  'refCount',
  'disposeData',
] as const;

describeEachBackend('passes of our own', () => {
  it('find in tfjs what they use', () => {
    const backend = internals(tf.findBackend('webgpu'));
    expect(members.filter((name) => backend[name] === undefined)).toEqual([]);
    expect('commandEncoder' in backend && 'computePassEncoder' in backend).toBe(true);
  });

  it('fold workgroups beyond the limit of a dimension', async () => {
    const n = 65_535 * 64 * 4 + 1000;
    const tail = new Int32Array(1000);
    fillBits(key(3), tail, n - 1000);
    const bits = randomBits(key(3), [n]);
    expect(((await bits.data()) as Int32Array).subarray(n - 1000)).toEqual(tail);
    bits.dispose();
    const signs = new Float32Array(70_000);
    fillSigns(key(4), signs, 13);
    const made = randomSigns(key(4), [70_000], { offset: 13 });
    expect(await made.data()).toEqual(signs);
    made.dispose();
  });

  it('come after the work that tfjs has queued, and before what follows', async () => {
    const results = tf.tidy(() => {
      const out: tf.Tensor[] = [];
      for (let i = 0; i < 40; i++) out.push(tf.add(tf.cast(randomBits(key(i), [5]), 'float32'), 0.5));
      return tf.stack(out);
    });
    const values = await results.data();
    for (let i = 0; i < 40; i++) {
      const bits = new Int32Array(5);
      fillBits(key(i), bits);
      for (let j = 0; j < 5; j++) expect(values[i * 5 + j]).toBe(Math.fround(Math.fround(bits[j]!) + 0.5));
    }
    results.dispose();
  });
});
