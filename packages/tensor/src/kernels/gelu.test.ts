import { describeEachBackend, expectClose, itConforms } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { it } from 'vitest';
import { gelu, geluGrad, geluGradOfOps } from './gelu.ts';

const attrs = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 });
const C = Math.sqrt(2 / Math.PI);
const f = (x: number): number => 0.5 * x * (1 + Math.tanh(C * (x + 0.044715 * x ** 3)));
const slope = (x: number): number => {
  const t = Math.tanh(C * (x + 0.044715 * x ** 3));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * C * (1 + 3 * 0.044715 * x * x);
};
/** From −6 to 6 or so: the tails too. */
const prepare = (name: string, values: Float32Array): Float32Array =>
  name === 'x' ? values.map((x) => 2 * x) : values;

describeEachBackend('gelu', () => {
  itConforms('gelu', {
    attrs,
    shapes: (shape) => ({ x: shape }),
    run: ({ x }) => gelu(x!),
    reference: ({ x }) => [x!.map(f)],
    differentiable: ['x'],
    prepare,
    tolerance: 1e-6,
  });

  itConforms('geluGrad', {
    attrs,
    shapes: (shape) => ({ x: shape, dy: shape }),
    run: ({ x, dy }) => geluGrad({ x: x!, dy: dy! }),
    reference: ({ x, dy }) => [x!.map((v, i) => dy![i]! * slope(v))],
    tangents: ['x', 'dy'],
    prepare,
    tolerance: 2e-6,
  });

  it('keeps its digits, also far below zero, by a kernel and composed', async () => {
    const at = Float32Array.from({ length: 2001 }, (_, i) => (i - 1000) / 100);
    const [x, dy] = [tf.tensor1d(at), tf.ones([at.length])];
    const slopes = [geluGrad({ x, dy }), geluGradOfOps({ x, dy })];
    for (const one of slopes) await expectClose(one, Float64Array.from(at, slope), 1e-6);
    tf.dispose([x, dy, slopes]);
  });

  it('is finite far out', async () => {
    const x = tf.tensor1d([-1e4, -30, 30, 1e4]);
    const [y, dy] = [gelu(x), tf.grad(gelu)(x)];
    await expectClose(y, [0, 0, 30, 1e4]);
    await expectClose(dy, [0, 0, 1, 1]);
    tf.dispose([x, y, dy]);
  });
});
