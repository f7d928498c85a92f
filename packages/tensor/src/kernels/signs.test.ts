import { describeEachBackend, expectNoLeak, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { key, packedSigns } from '../random/index.ts';
import { addSigns, matMulSigns } from './signs.ts';

// Depths around the 64 rows of a block and the 384 of a pass, widths around the panels of 8.
const size = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(63, 64, 65, 130));
const depth = fc.oneof(size, fc.constantFrom(383, 384, 385, 449));

describeEachBackend('matMulSigns', () => {
  for (const into of [true, false]) {
    itConforms(into ? 'matMulSigns added' : 'matMulSigns', {
      attrs: fc.record({ m: size, k: depth, n: size, seed: fc.nat(99), biased: fc.boolean() }),
      shapes: ({ m, k, n, biased }) => ({
        a: [m, k],
        ...(into && { into: [m, n] }),
        ...(biased && { bias: [n] }),
      }),
      run: (inputs, { n, seed }) => matMulSigns(inputs as never, key(seed), n),
      reference({ a, into: before, bias }, { m, k, n, seed }) {
        const s = packedSigns(key(seed), k, n);
        const y = new Float64Array(m * n);
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            let sum = (before?.[i * n + j] ?? 0) + (bias?.[j] ?? 0);
            for (let l = 0; l < k; l++) sum += a![i * k + l]! * s[l * n + j]!;
            y[i * n + j] = sum;
          }
        }
        return [y];
      },
      donated: into ? ['into'] : [],
      tangents: into ? ['a', 'into', 'bias'] : ['a', 'bias'],
      // Sums of some hundred terms.
      tolerance: 5e-5,
    });
  }

  it('refuses what does not fit', async () => {
    await expectNoLeak(() => {
      const a = tf.ones([2, 3]);
      expect(() => matMulSigns({ a, into: a }, key(1), 3)).toThrow(/stands twice/);
      expect(() => matMulSigns({ a, bias: a }, key(1), 3)).toThrow(/bias must have the shape \[3\]/);
      a.dispose();
    });
  });
});

describeEachBackend('addSigns', () => {
  itConforms('addSigns', {
    attrs: fc.record({ k: depth, n: size, seed: fc.nat(99), factor: fc.constantFrom(1, -0.37), scaled: fc.boolean() }),
    shapes: ({ k, n, scaled }) => ({ p: [k, n], ...(scaled && { scale: [] }) }),
    run: (inputs, { seed, factor }) => addSigns(inputs as never, key(seed), factor),
    reference({ p, scale }, { k, n, seed, factor }) {
      const s = packedSigns(key(seed), k, n);
      return [p!.map((x, i) => x + factor * (scale?.[0] ?? 1) * s[i]!)];
    },
    donated: ['p'],
    tangents: ['p', 'scale'],
  });

  it('refuses what does not fit', async () => {
    await expectNoLeak(() => {
      const p = tf.ones([2, 3]);
      expect(() => addSigns({ p }, key(1), Number.NaN)).toThrow(/factor must be a finite/);
      const scale = tf.ones([1]);
      expect(() => addSigns({ p, scale }, key(1))).toThrow(/scale must have the shape \[\]/);
      tf.dispose([p, scale]);
    });
  });
});
