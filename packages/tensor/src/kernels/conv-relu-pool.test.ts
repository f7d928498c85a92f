import { describeEachBackend, expectNoLeak, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { convReluPool } from './conv-relu-pool.ts';

const small = fc.integer({ min: 1, max: 3 });
const attrs = fc
  .record({
    batch: fc.integer({ min: 1, max: 2 }),
    height: fc.integer({ min: 1, max: 6 }),
    width: fc.integer({ min: 1, max: 6 }),
    channels: small,
    outputs: fc.integer({ min: 1, max: 5 }),
    kh: small,
    kw: small,
    strides: fc.integer({ min: 1, max: 2 }),
    pool: small,
    pad: fc.constantFrom('same' as const, 'valid' as const),
  })
  // tfjs's stock wasm backend pads wrongly where the stride passes the filter.
  .filter((a) => a.pad === 'valid' || Math.min(a.kh, a.kw) >= a.strides)
  .filter((a) => convolved(a.height, a.kh, a) >= a.pool && convolved(a.width, a.kw, a) >= a.pool);

interface Geometry {
  strides: number;
  pad: 'same' | 'valid';
}

/** The convolution's output size along one axis. */
function convolved(size: number, kernel: number, { strides, pad }: Geometry): number {
  return pad === 'same' ? Math.ceil(size / strides) : Math.floor((size - kernel) / strides) + 1;
}

/** How much is padded before, along one axis. */
function before(size: number, kernel: number, { strides, pad }: Geometry): number {
  if (pad === 'valid') return 0;
  return Math.floor(Math.max(0, (Math.ceil(size / strides) - 1) * strides + kernel - size) / 2);
}

describeEachBackend('convReluPool', () => {
  itConforms('convReluPool', {
    attrs,
    shapes: ({ batch, height, width, channels, outputs, kh, kw }) => ({
      x: [batch, height, width, channels],
      w: [kh, kw, channels, outputs],
      bias: [outputs],
    }),
    run: (inputs, { strides, pad, pool }) => convReluPool(inputs as never, { strides, pad, pool }),
    reference({ x, w, bias }, a) {
      const [rows, columns] = [convolved(a.height, a.kh, a), convolved(a.width, a.kw, a)];
      const [top, left] = [before(a.height, a.kh, a), before(a.width, a.kw, a)];
      const active = (b: number, r: number, c: number, o: number): number => {
        let sum = bias![o]!;
        for (let i = 0; i < a.kh; i++) {
          for (let j = 0; j < a.kw; j++) {
            const [y, z] = [r * a.strides + i - top, c * a.strides + j - left];
            if (y < 0 || z < 0 || y >= a.height || z >= a.width) continue;
            for (let k = 0; k < a.channels; k++) {
              const weight = w![((i * a.kw + j) * a.channels + k) * a.outputs + o]!;
              sum += x![((b * a.height + y) * a.width + z) * a.channels + k]! * weight;
            }
          }
        }
        return Math.max(0, sum);
      };
      const out: number[] = [];
      const [pr, pc] = [Math.floor(rows / a.pool), Math.floor(columns / a.pool)];
      for (let b = 0; b < a.batch; b++) {
        for (let r = 0; r < pr; r++) {
          for (let c = 0; c < pc; c++) {
            for (let o = 0; o < a.outputs; o++) {
              let best = 0;
              for (let i = 0; i < a.pool * a.pool; i++) {
                best = Math.max(best, active(b, r * a.pool + Math.floor(i / a.pool), c * a.pool + (i % a.pool), o));
              }
              out.push(best);
            }
          }
        }
      }
      return [Float64Array.from(out)];
    },
    differentiable: ['x', 'w', 'bias'],
    needs: ['Conv2DBackpropFilter'],
    // Away from 0, as differences across the kink of relu say nothing.
    prepare: (name, values) =>
      name === 'bias' ? values.map((x, i) => (i % 3 === 0 ? -20 : 4 + x)) : values.map((x) => x / 4),
  });

  it('refuses what does not fit', async () => {
    await expectNoLeak(() => {
      const [x, w, bias] = [tf.ones([1, 4, 4, 1]), tf.ones([3, 3, 1, 2]), tf.ones([3])];
      expect(() => convReluPool({ x, w, bias }, { pad: 'same' })).toThrow(/bias must have the shape \[2\]/);
      expect(() => convReluPool({ x, w, bias: w }, { pad: 'same', pool: 0 })).toThrow(/bias must/);
      tf.dispose([x, w, bias]);
    });
  });
});
