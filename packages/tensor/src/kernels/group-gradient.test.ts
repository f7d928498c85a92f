import { describeEachBackend, expectNoLeak, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { groupGradient } from './group-gradient.ts';

describeEachBackend('groupGradient', () => {
  itConforms('groupGradient', {
    attrs: fc.record({
      rows: fc.integer({ min: 1, max: 9 }),
      units: fc.integer({ min: 1, max: 70 }),
      groupSize: fc.constantFrom(1, 3, 4, 8, 12, 100),
    }),
    shapes: ({ rows, units }) => ({ u: [rows, units], du: [rows, units], slope: [rows, units] }),
    run: (inputs, { groupSize }) => groupGradient(inputs as never, groupSize),
    reference: ({ u, du, slope }, { units, groupSize }) => [
      u!.map((_, at) => {
        const [row, unit] = [at - (at % units), at % units];
        const first = row + unit - (unit % groupSize);
        const end = Math.min(first + groupSize, row + units);
        let sum = 0;
        for (let i = first; i < end; i++) sum += du![i]! * slope![i]!;
        return du![at] === 0 ? 0 : u![at]! * sum;
      }),
    ],
    tangents: ['u', 'du', 'slope'],
  });

  it('gives 0 where the activity does not move', async () => {
    await expectNoLeak(async () => {
      const [u, du] = [tf.tensor2d([[1, -1, 1, 1, -1]]), tf.tensor2d([[2, 0, 1, 0, 0]])];
      const slope = tf.tensor2d([[1, 5, 3, 5, 5]]);
      const g = groupGradient({ u, du, slope }, 4);
      expect(Array.from(await g.data(), Math.abs)).toEqual([5, 0, 5, 0, 0]);
      tf.dispose([u, du, slope, g]);
    });
  });

  it('refuses what does not fit', async () => {
    await expectNoLeak(() => {
      const [u, du] = [tf.ones([2, 3]), tf.ones([2, 4])];
      expect(() => groupGradient({ u, du, slope: u }, 1)).toThrow(/du must have the shape \[2, 3\]/);
      expect(() => groupGradient({ u, du: u, slope: u }, 0)).toThrow(
        /groupSize must be an integer of at least 1, got 0/,
      );
      tf.dispose([u, du]);
    });
  });
});
