import { describeEachBackend, expectNoLeak, isHooked } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { interpret, type KernelHandler } from '../interpret/index.ts';
import { trackAsyncInterpreters } from './async-interpreters.ts';

function counter(): KernelHandler & { count: number } {
  const self: KernelHandler & { count: number } = {
    count: 0,
    kernel(name, inputs, attrs, next) {
      self.count++;
      return next(name, inputs, attrs);
    },
  };
  return self;
}

async function work(kernels: number): Promise<void> {
  for (let i = 0; i < kernels; i++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    tf.neg(i).dispose();
  }
}

describeEachBackend('trackAsyncInterpreters', () => {
  it('tells overlapping asynchronous interpreters apart', async () => {
    trackAsyncInterpreters();
    trackAsyncInterpreters();
    await expectNoLeak(async () => {
      const [two, three, both] = [counter(), counter(), counter()];
      await Promise.all([
        interpret(both, () => Promise.all([interpret(two, () => work(2)), interpret(three, () => work(3))])),
        work(4),
      ]);
      expect([two, three, both].map((c) => c.count)).toEqual([2, 3, 5]);
      expect(isHooked()).toBe(false);
    });
  });
});
