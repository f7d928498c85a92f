import type { Context, Estimate, GradientEstimator, Key, LossFunction, Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { SeededEstimator } from '../estimators/seeded.ts';
import type { LoggedStep, StepLog } from './step-log.ts';

/** An estimator that writes down its steps. */
export interface Recorder {
  /** What to train with. */
  readonly estimator: GradientEstimator;
  /** The steps so far; reads scalars that are still on the device. */
  log(): Promise<StepLog>;
  /** Frees scalars that were not read. */
  dispose(): void;
}

interface Unread {
  readonly key: Key;
  readonly scalars: tf.Tensor1D;
}

const same = (a: Key, b: Key): boolean => a.hi === b.hi && a.lo === b.lo;

/**
 * Writes down key and scalars of every step that a seeded estimator makes, to `replay` the run from them.
 *
 * The scalars stay on the device (4 K bytes a step) until `log()`. A key that comes again, as after a rollback,
 * takes the log back to its first use. Steps that a guard skips must not be recorded: use another guard.
 */
export function record(seeded: SeededEstimator): Recorder {
  const read: LoggedStep[] = [];
  const unread: Unread[] = [];

  function rewind(key: Key): void {
    const at = unread.findIndex((step) => same(step.key, key));
    const before = at >= 0 ? -1 : read.findIndex((step) => same(step.key, key));
    if (before >= 0) read.length = before;
    const gone = at >= 0 ? unread.splice(at) : before >= 0 ? unread.splice(0) : [];
    tf.dispose(gone.map(({ scalars }) => scalars));
  }

  const estimator = <P extends Tree, B>(
    loss: LossFunction<P, B>,
    params: P,
    batch: B,
    key: Key,
    ctx?: Omit<Context, 'key'>,
  ): Estimate => {
    const { loss: value, scalars } = seeded.measure(loss, params, batch, key, ctx);
    const grads = seeded.rebuild(params, key, scalars);
    rewind(key);
    unread.push({ key, scalars: tf.keep(scalars) });
    return { loss: value, grads };
  };

  return {
    estimator,
    async log() {
      const steps = unread.splice(0);
      if (steps.length > 0) {
        const stacked = tf.stack(steps.map(({ scalars }) => scalars));
        tf.dispose(steps.map(({ scalars }) => scalars));
        const values = (await stacked.data()) as Float32Array;
        stacked.dispose();
        const k = seeded.directions;
        for (const [i, { key }] of steps.entries()) read.push({ key, scalars: values.slice(i * k, (i + 1) * k) });
      }
      return { directions: seeded.directions, steps: [...read] };
    },
    dispose() {
      tf.dispose(unread.splice(0).map(({ scalars }) => scalars));
    },
  };
}
