import { describeEachBackend, expectNoLeak, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { reluGrad } from './relu-grad.ts';

describeEachBackend('reluGrad', () => {
  itConforms('reluGrad', {
    attrs: fc.record({ n: fc.integer({ min: 1, max: 70 }), m: fc.integer({ min: 1, max: 9 }), k: fc.nat(3) }),
    shapes: ({ n, m, k }) => ({ y: [n, m], dy: k === 0 ? [n, m] : [k, n, m] }),
    run: (inputs) => reluGrad(inputs as never),
    reference: ({ y, dy }) => [dy!.map((d, i) => (y![i % y!.length]! > 0 ? d : 0))],
    tangents: ['dy'],
  });

  it('refuses what does not fit', async () => {
    await expectNoLeak(() => {
      const [y, dy] = [tf.ones([2, 3]), tf.ones([3])];
      expect(() => reluGrad({ y, dy })).toThrow(/dy must have the shape \[2, 3\]/);
      tf.dispose([y, dy]);
    });
  });
});
