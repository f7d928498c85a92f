// Walks tfjs's gradient registry: whatever kernel a gradient asks for must be here, and right.
import { ensureGradients } from '@frugal/tensor';
import '@tensorflow/tfjs-backend-cpu';
import {
  complexGradients,
  gradientNames,
  gradientSamples,
  largestDifference,
  valueAndGradients,
} from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restore, trainable } from './index.ts';
import { onBackend } from './testing.ts';

describe('the gradients of tfjs on wasm', () => {
  let names: string[];
  beforeAll(async () => {
    await import('@tensorflow/tfjs-layers');
    names = gradientNames();
    await ensureGradients();
    await trainable();
  });
  afterAll(restore);

  it('all have a sample here', () => {
    expect(names.length).toBeGreaterThan(95);
    expect(names.filter((name) => !(name in gradientSamples) && !complexGradients.includes(name))).toEqual([]);
  });

  it.each(Object.keys(gradientSamples))('%s', async (name) => {
    await tf.setBackend('cpu');
    const { kernelNames } = await tf.profile(() => tf.tidy(() => valueAndGradients(gradientSamples[name]!)));
    const kernels = kernelNames.filter((kernel) => tf.getKernel(kernel, 'cpu') !== undefined);
    const missing = kernels.filter((kernel) => tf.getKernel(kernel, 'wasm') === undefined);
    expect(missing, 'kernels that a gradient asks for').toEqual([]);
    await tf.setBackend('wasm');
    const f = () => valueAndGradients(gradientSamples[name]!);
    expect(await largestDifference(await onBackend('wasm', f), await onBackend('cpu', f))).toBeLessThan(3e-5);
  });
});
