import { type Key, randomNormal } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { topKRouter } from '../routers/top-k.ts';
import { RouterViolation, routerContract } from './index.ts';

type Right = ReturnType<typeof topKRouter>;

/** What is wrong, the rule that must notice, the router: a right one, broken in one place. */
const broken: Record<string, [rule: string, broken: (right: Right) => Partial<Right>, message: RegExp]> = {
  'starts the same for every key': [
    'initialises by key',
    () => ({ init: () => ({ weight: tf.ones([6, 4]) }) }),
    /other parameters for another key/,
  ],
  'draws without a key': [
    'gives logits, the same for the same context',
    (right) => ({ logits: (p, x) => tf.tidy(() => tf.add(right.logits(p, x), tf.scalar(Math.random()))) }),
    /must be the same for the same context/,
  ],
  'gives too few logits': [
    'gives logits, the same for the same context',
    (right) => ({ logits: (p, x) => tf.tidy(() => tf.slice(right.logits(p, x), [0, 0], [-1, 3])) }),
    /must be float32 \[10, 4\], got float32 \[10,3\]/,
  ],
  'hides what it costs': ['counts its FLOPs', () => ({ flopsPerToken: 1 }), /must be within 1 %/],
  'sorts its pairs by expert': [
    'selects valid pairs and is pure',
    (right) => ({
      select: (...all) => {
        const { slots, gates } = right.select(...all);
        return { slots: slots.slice().reverse(), gates };
      },
    }),
    /must ascend/,
  ],
  'remembers earlier choices': [
    'selects valid pairs and is pure',
    (right) => {
      let calls = 0;
      return {
        select(logits, tokens) {
          const favourite = calls++ % 4;
          return right.select(
            logits.map((v, i) => (i % 4 === favourite ? v + 50 : v)),
            tokens,
          );
        },
      };
    },
    /must be pure/,
  ],
  'takes tau the wrong way round': [
    'never chooses less for a larger tau',
    (right) => ({
      select: (logits, tokens, { tau = 0 } = {}) => {
        const { slots, gates } = right.select(logits, tokens);
        const some = Math.round(slots.length * (1 - tau));
        return { slots: slots.slice(0, some), gates: gates.slice(0, some) };
      },
    }),
    /never choose fewer pairs/,
  ],
  'lets the bias into its gates': [
    'has the same gates on host and device, with a bias and with drops',
    (right) => ({
      select: (logits, tokens, options) => {
        const { slots, gates } = right.select(logits, tokens, options);
        return { slots, gates: gates.map((gate, i) => gate + (options?.bias?.[slots[i]! % 4] ?? 0)) };
      },
    }),
    /gates of a biased plan must be those of select/,
  ],
  'forgets pairs that were dropped': [
    'has the same gates on host and device, with a bias and with drops',
    (right) => ({ gates: (logits, plan) => right.gates(logits, { ...plan, chosen: plan.slots.slice().sort() }) }),
    /gates of a plan with drops/,
  ],
  'stops its gradient': [
    'has gates with the right gradient',
    (right) => ({
      gates: (logits, plan) =>
        tf.tidy(() => {
          const stop = tf.customGrad((x) => ({
            value: tf.clone(x as tf.Tensor),
            gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
          }));
          return stop(right.gates(logits, plan)!);
        }),
    }),
    /central differences/,
  ],
  leaks: [
    'leaks nothing',
    (right) => ({
      gates: (logits, plan) => {
        tf.scalar(1);
        return right.gates(logits, plan);
      },
    }),
    /1 tensors remain|3 tensors remain/,
  ],
};

describeEachBackend('the contract is broken by a router that', () => {
  for (const [what, [rule, change, message]] of Object.entries(broken)) {
    it(what, async () => {
      const make = (dim: number, experts: number): Right => {
        const right = topKRouter(dim, experts);
        const spread = { ...right, init: (k: Key) => ({ weight: randomNormal(k, [dim, experts]) as tf.Tensor2D }) };
        return { ...spread, ...change(spread) };
      };
      const check = routerContract(make).find(({ name }) => name === rule)!;
      const violation = await check.run().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(violation).toBeInstanceOf(RouterViolation);
      expect((violation as Error).message).toMatch(message);
    });
  }

  it('skips by name only', () => {
    const make = (dim: number, experts: number) => topKRouter(dim, experts);
    expect(routerContract(make, { skip: { 'leaks nothing': 'why' } })).toHaveLength(routerContract(make).length - 1);
    expect(() => routerContract(make, { skip: { nothing: 'why' } })).toThrow(/skip names 'nothing', but there are/);
  });
});
