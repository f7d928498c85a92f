import { describeEachBackend, expectNoLeak, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { layerNorm, layerNormGrad } from './layer-norm.ts';

const attrs = fc.record({
  batch: fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 2 }),
  d: fc.integer({ min: 2, max: 20 }),
  epsilon: fc.constantFrom(1e-5, 0.1),
});

interface Row {
  mean: number;
  rstd: number;
  normal: Float64Array;
}

function rowsOf(x: Float64Array, d: number, epsilon: number): Row[] {
  return Array.from({ length: x.length / d }, (_, i) => {
    const row = x.subarray(i * d, (i + 1) * d);
    const mean = row.reduce((a, b) => a + b, 0) / d;
    const rstd = 1 / Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / d + epsilon);
    return { mean, rstd, normal: row.map((v) => (v - mean) * rstd) };
  });
}

describeEachBackend('layerNorm', () => {
  itConforms('layerNorm', {
    attrs,
    shapes: ({ batch, d }) => ({ x: [...batch, d], scale: [d], offset: [d] }),
    run: (inputs, { epsilon }) => layerNorm(inputs as never, { epsilon }),
    reference: ({ x, scale, offset }, { d, epsilon }) => [
      Float64Array.from(rowsOf(x!, d, epsilon).flatMap(({ normal }) => Array.from(normal))).map(
        (v, i) => v * scale![i % d]! + offset![i % d]!,
      ),
    ],
    differentiable: ['x', 'scale', 'offset'],
    // Two numbers a row may be close together; then 1/σ magnifies rounding.
    prepare: (name, values) => (name === 'x' ? values.map((v, i) => v / 2 + 3 * (i % 2)) : values),
    tolerance: 1e-4,
  });

  itConforms('layerNormGrad', {
    attrs,
    shapes: ({ batch, d }) => ({ x: [...batch, d], dy: [...batch, d], scale: [d], mean: batch, rstd: batch }),
    run: (inputs) => layerNormGrad(inputs as never),
    // The formula for any mean and 1/σ, whether or not they belong to x.
    reference({ x, dy, scale, mean, rstd }, { d }) {
      const [dx, dscale, doffset] = [new Float64Array(x!.length), new Float64Array(d), new Float64Array(d)];
      for (let i = 0; i < mean!.length; i++) {
        const normal = (c: number) => (x![i * d + c]! - mean![i]!) * rstd![i]!;
        const g = (c: number) => dy![i * d + c]! * scale![c]!;
        let [sum, along] = [0, 0];
        for (let c = 0; c < d; c++) {
          sum += g(c) / d;
          along += (g(c) * normal(c)) / d;
          dscale[c]! += dy![i * d + c]! * normal(c);
          doffset[c]! += dy![i * d + c]!;
        }
        for (let c = 0; c < d; c++) dx[i * d + c] = rstd![i]! * (g(c) - sum - normal(c) * along);
      }
      return [dx, dscale, doffset];
    },
    tangents: ['x', 'dy', 'scale', 'mean', 'rstd'],
    tolerance: 5e-5,
  });

  it('refuses what does not fit', async () => {
    await expectNoLeak(() => {
      const [x, d, one] = [tf.ones([2, 3]), tf.ones([2]), tf.scalar(1)];
      expect(() => layerNorm({ x, scale: d, offset: d }, { epsilon: 1e-5 })).toThrow(/scale must have the shape \[3\]/);
      expect(() => layerNorm({ x: one, scale: d, offset: d }, { epsilon: 1e-5 })).toThrow(/last axis/);
      tf.dispose([x, d, one]);
    });
  });
});
