// Kernels of the wasm backend over random shapes, against the cpu backend, in a browser.
import { gelu, layerNorm } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { differenceOnBackends } from './values.ts';

const tensor = (shape: number[], seed: number): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed)),
    shape,
  );
const size = (max: number) => fc.integer({ min: 1, max });

/** A sum of the value and of all gradients, so that one read compares everything. */
function withGradients(f: (...xs: tf.Tensor[]) => tf.Tensor, ...xs: tf.Tensor[]): tf.Tensor {
  const y = f(...xs);
  return tf.concat([y, ...tf.grads(f)(xs, tensor(y.shape, 9))].map((t) => tf.reshape(t, [-1])));
}

const properties: Record<string, fc.IAsyncProperty<unknown>> = {
  products: fc.asyncProperty(size(3), size(40), size(80), size(40), fc.boolean(), fc.boolean(), (b, m, n, k, ta, tb) =>
    agree(() => tf.matMul(tensor(ta ? [b, k, m] : [b, m, k], 1), tensor(tb ? [b, n, k] : [b, k, n], 2), ta, tb)),
  ),
  convolutions: fc.asyncProperty(
    fc.record({ batch: size(3), side: fc.integer({ min: 5, max: 12 }), from: size(6), to: size(12), window: size(5) }),
    fc.record({ stride: size(2), pad: fc.constantFrom<'same' | 'valid'>('same', 'valid') }),
    ({ batch, side, from, to, window }, { stride, pad }) =>
      agree(() =>
        withGradients(
          (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, pad),
          tensor([batch, side, side + 1, from], 1),
          tensor([window, window, from, to], 2),
        ),
      ),
  ),
  pooling: fc.asyncProperty(
    size(3),
    fc.integer({ min: 4, max: 11 }),
    size(9),
    size(3),
    (batch, side, channels, window) =>
      agree(() =>
        withGradients(
          (x) => tf.maxPool(x as tf.Tensor4D, window, window, 'valid'),
          tensor([batch, side, side, channels], 1),
        ),
      ),
  ),
  rows: fc.asyncProperty(
    size(20),
    size(30),
    fc.array(fc.nat(19), { minLength: 1, maxLength: 30 }),
    (n, columns, picked) =>
      agree(() => {
        const rows = tf.tensor1d(
          picked.map((row) => row % n),
          'int32',
        );
        return withGradients((x) => tf.gather(x, rows), tensor([n, columns], 1));
      }),
  ),
  norms: fc.asyncProperty(size(20), size(40), (n, columns) =>
    agree(() =>
      withGradients(
        (x, scale, offset) => tf.softmax(gelu(layerNorm({ x, scale, offset }, { epsilon: 1e-3 }))),
        ...[tensor([n, columns], 1), tensor([columns], 2), tensor([columns], 3)],
      ),
    ),
  ),
  sums: fc.asyncProperty(size(6), size(20), size(30), fc.nat(2), (a, b, c, axis) =>
    agree(() =>
      tf.concat(
        [tf.sum(tensor([a, b, c], 1), axis), tf.transpose(tf.mean(tensor([a, b, c], 2), axis))].map((t) =>
          tf.reshape(t, [-1]),
        ),
      ),
    ),
  ),
};

async function agree(f: () => tf.Tensor): Promise<boolean> {
  return (await differenceOnBackends(f)) < 5e-5;
}

/** @returns The names of what was checked. @throws With the smallest counterexample. */
export async function checkRandomShapes(): Promise<string[]> {
  for (const property of Object.values(properties)) await fc.assert(property, { numRuns: 15, seed: 1 });
  return Object.keys(properties);
}
