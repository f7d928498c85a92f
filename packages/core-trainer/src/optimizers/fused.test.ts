import { type GradientTransformation, type Tree, treeClone, treeDispose, treeLeaves } from '@frugal/tensor';
import { describeEachBackend, expectClose, normals } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { applyUpdates, matricesOnly } from '../transforms/index.ts';
import { adamw, lion, momentum, nesterov, sgd } from './index.ts';

const share = (max: number) => fc.double({ min: 0, max, noNaN: true });
const numbers = fc.record({
  rate: share(1),
  beta1: share(0.99),
  beta2: share(0.999),
  weightDecay: fc.oneof(fc.constant(0), share(0.5)),
  masked: fc.boolean(),
  step: fc.oneof(fc.nat(3), fc.nat(1_000_000)),
  shapes: fc.array(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }), { minLength: 1, maxLength: 4 }),
});
type Numbers = typeof numbers extends fc.Arbitrary<infer T> ? T : never;

const makers: Record<string, (n: Numbers) => GradientTransformation> = {
  sgd: (n) => sgd(n.rate, decay(n)),
  momentum: (n) => momentum(n.rate, { beta: n.beta1, ...decay(n) }),
  nesterov: (n) => nesterov(n.rate, { beta: n.beta1, ...decay(n) }),
  adamw: (n) => adamw(n.rate, { beta1: n.beta1, beta2: n.beta2, epsilon: 1e-3, ...decay(n) }),
  lion: (n) => lion(n.rate, { beta1: n.beta1, beta2: n.beta2, ...decay(n) }),
};
const decay = ({ weightDecay, masked }: Numbers) => ({ weightDecay, ...(masked ? { mask: matricesOnly } : {}) });

const tree = (shapes: number[][], seed: number): Tree =>
  shapes.map((shape, i) => tf.tensor(normals(16 * seed + i, tf.util.sizeFromShape(shape)), shape));

/** The state after two updates along other gradients. */
function warm(optimizer: GradientTransformation, params: Tree, { shapes, step }: Numbers): Tree {
  let state = optimizer.init(params);
  for (let i = 0; i < 2; i++) {
    const grads = tree(shapes, 3 + i);
    const [updates, next] = optimizer.update(grads, state, params, { step });
    treeDispose([grads, state, updates as Tree]);
    state = next;
  }
  return state;
}

/**
 * TensorFlow's `ResourceApplyAdam` takes β₂ in float32, so its 1 − β₂ is off by up to 2⁻²⁵, relative to a state that the
 * chain made; and it makes v + (g² − v)(1 − β₂), where little is left of a small g² unless β₂ keeps a share of v.
 */
function adjusted(n: Numbers, backend: string, name: string): [Numbers, tolerance: number] {
  if (backend !== 'tensorflow' || name !== 'adamw') return [n, 1e-5];
  const beta2 = Math.max(n.beta2, 0.5);
  return [{ ...n, beta2 }, 1e-5 + 2 ** -25 / (1 - beta2)];
}

describeEachBackend('one kernel for the whole tree', (backend) => {
  for (const [name, make] of Object.entries(makers)) {
    it(`${name} moves as its chain does, whatever the numbers`, async () => {
      await fc.assert(
        fc.asyncProperty(numbers, async (drawn) => {
          const [n, tolerance] = adjusted(drawn, backend, name);
          const optimizer = make(n);
          const [params, grads] = [tree(n.shapes, 1), tree(n.shapes, 2)];
          // A state in the middle of a run: averages of any sign, squares above zero.
          const state = warm(optimizer, params, n);
          const extra = { step: n.step };
          const [updates, next] = optimizer.update(grads, state, params, extra);
          const added = applyUpdates(params, updates);
          const [moved, after] = optimizer.step!(grads, treeClone(state), treeClone(params), extra);
          for (const [a, b] of [
            [moved, added],
            [after, next],
          ] as [Tree, Tree][]) {
            for (const [i, leaf] of treeLeaves(a).entries()) await expectClose(leaf, treeLeaves(b)[i]!, tolerance);
          }
          treeDispose([params, grads, state, updates as Tree, next, added, moved, after]);
        }),
        { numRuns: 20 },
      );
    });
  }

  it('takes a tree without parameters', () => {
    for (const make of Object.values(makers)) {
      const optimizer = make({ rate: 1, beta1: 0.5, beta2: 0.5, weightDecay: 0.1, masked: true, step: 0, shapes: [] });
      expect(treeLeaves(optimizer.step!({}, optimizer.init({}), {}, { step: 0 }) as Tree)).toEqual([]);
    }
  });
});
