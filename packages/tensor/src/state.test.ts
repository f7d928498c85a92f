import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { createState } from './state.ts';

describeEachBackend('createState', () => {
  it('owns what it is given, through tidies and replacements', async () => {
    await expectNoLeak(async () => {
      const state = createState();
      tf.tidy(() => state.set('norm.mean', tf.tensor1d([1, 2])));
      tf.tidy(() => state.set('norm.mean', tf.add(state.get('norm.mean')!, 1)));
      state.set('norm.mean', state.get('norm.mean')!);
      await expectClose(state.get('norm.mean')!, [2, 3]);
      expect(state.size).toBe(1);
      state.dispose();
      expect(state.get('norm.mean')).toBeUndefined();
    });
  });

  it('copies independently', async () => {
    await expectNoLeak(async () => {
      const state = createState();
      state.set('a', tf.scalar(1));
      const copy = state.clone();
      const record = state.toRecord();
      state.set('a', tf.scalar(2));
      copy.set('b', tf.scalar(3));
      await expectClose(copy.get('a')!, [1]);
      await expectClose(record.a!, [1]);
      expect(state.entries().map(([path]) => path)).toEqual(['a']);
      state.load(Object.fromEntries(state.entries()));
      await expectClose(state.get('a')!, [2]);
      state.load(record);
      await expectClose(state.get('a')!, [1]);
      copy.delete('a');
      copy.delete('absent');
      expect(copy.entries().map(([path]) => path)).toEqual(['b']);
      tf.dispose(record);
      state.dispose();
      copy.dispose();
    });
  });

  it('survives being written while a gradient is recorded', async () => {
    await expectNoLeak(async () => {
      const state = createState({});
      const gradient = tf.grad((x) => {
        const mean = tf.mean(x);
        state.set('mean', tf.clone(mean));
        return tf.sum(tf.square(tf.sub(x, mean)));
      });
      const x = tf.tensor1d([1, 3]);
      const dx = gradient(x);
      await expectClose(state.get('mean')!, [2]);
      await expectClose(dx, [-2, 2]);
      tf.dispose([x, dx]);
      state.dispose();
    });
  });
});
