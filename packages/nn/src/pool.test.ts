import type { Module } from '@frugal/tensor';
import {
  describeEachBackend,
  expectClose,
  expectGradient,
  expectNoLeak,
  layerOutput,
  normalTensor,
} from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import type { NoParams } from './params.ts';
import { avgPool1d, avgPool2d, flatten, globalAvgPool, globalMaxPool, maxPool1d, maxPool2d } from './pool.ts';

const l = tfl.layers;
const cases: [string, Module<NoParams>, () => tfl.layers.Layer, number[]][] = [
  ['maxPool2d', maxPool2d(2), () => l.maxPooling2d({ poolSize: 2 }), [2, 6, 7, 3]],
  [
    'maxPool2d, same',
    maxPool2d(3, { strides: 2, padding: 'same' }),
    () => l.maxPooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
    [2, 6, 7, 3],
  ],
  ['avgPool2d', avgPool2d([2, 3]), () => l.averagePooling2d({ poolSize: [2, 3] }), [2, 6, 7, 3]],
  [
    'avgPool2d, same',
    avgPool2d(3, { strides: 2, padding: 'same' }),
    () => l.averagePooling2d({ poolSize: 3, strides: 2, padding: 'same' }),
    [2, 6, 7, 3],
  ],
  ['maxPool1d', maxPool1d(2), () => l.maxPooling1d({ poolSize: 2 }), [2, 7, 3]],
  [
    'avgPool1d',
    avgPool1d(3, { strides: 1, padding: 'same' }),
    () => l.averagePooling1d({ poolSize: 3, strides: 1, padding: 'same' }),
    [2, 7, 3],
  ],
  ['globalAvgPool', globalAvgPool(), () => l.globalAveragePooling2d({}), [2, 3, 4, 5]],
  ['globalMaxPool', globalMaxPool(), () => l.globalMaxPooling1d({}), [2, 9, 5]],
  ['flatten', flatten(), () => l.flatten(), [2, 3, 4, 5]],
];

describeEachBackend('pooling', () => {
  for (const [name, layer, other, shape] of cases) {
    it(`${name} equals tfjs's layer`, async () => {
      await expectNoLeak(async () => {
        const x = normalTensor(1, shape);
        const [y, expected] = [layer.apply({}, x), layerOutput(other(), x)];
        expect(y.shape).toEqual(expected.shape);
        await expectClose(y, expected, 1e-6);
        tf.dispose([x, y, expected]);
      });
    });
  }

  for (const [name, layer, , shape] of cases) {
    it(`${name} has the right gradients`, async () => {
      const x = normalTensor(3, shape);
      // Small steps: where the largest value changes there is a kink.
      await expectNoLeak(() => expectGradient((v) => layer.apply({}, v), x, { step: 1e-3, tolerance: 1e-2 }));
      x.dispose();
    });
  }

  it('refuses another rank', async () => {
    await expectNoLeak(() => {
      const x = tf.zeros([2, 4, 4]);
      expect(() => maxPool2d(2).apply({}, x)).toThrow(/maxPool2d takes an input of shape/);
      x.dispose();
    });
  });
});
