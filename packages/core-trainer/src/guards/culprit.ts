import { interpret, type KernelInputs } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { poison } from './finite.ts';

/** The kernel that was the first to make a number that is not finite. */
export interface Culprit {
  readonly kernel: string;
  readonly made: 'NaN' | 'infinity';
  /** Where a NaN came of infinities: the kernel that had made the first of them. */
  readonly overflow?: string;
  /** How many kernels had run before it in the step. */
  readonly index: number;
}

/** Two scalars that tell, once they are read, what is in a tensor. */
interface Flag {
  /** How many numbers are NaN. */
  readonly nans: tf.Scalar;
  /** NaN if any number is not finite. */
  readonly poison: tf.Scalar;
}

interface Trace {
  readonly kernel: string;
  readonly inputs: readonly Flag[];
  readonly outputs: readonly Flag[];
}

type Content = 'finite' | 'infinity' | 'NaN';

function flag(tensor: tf.Tensor): Flag {
  const nans = tf.keep(tf.tidy((): tf.Scalar => tf.sum(tf.cast(tf.notEqual(tensor, tensor), 'float32'))));
  return { nans, poison: tf.keep(poison(tensor)) };
}

function flags(tensors: Iterable<tf.Tensor | null | undefined>): Flag[] {
  const found: Flag[] = [];
  for (const tensor of tensors) if (tensor?.dtype === 'float32') found.push(flag(tensor));
  return found;
}

async function content(list: readonly Flag[]): Promise<Content> {
  let worst: Content = 'finite';
  for (const { nans, poison } of list) {
    if ((await nans.data())[0] !== 0) return 'NaN';
    if (!Number.isFinite((await poison.data())[0])) worst = 'infinity';
  }
  return worst;
}

/**
 * Runs `f` and finds the first kernel that made NaN of numbers, or, if there is no NaN, infinity of finite ones.
 *
 * Infinities alone may be meant (masks are made of them), so a NaN goes before an earlier infinity. Slow, and two
 * scalars are kept for every tensor: for a step that is known to be wrong.
 *
 * @param f Synchronous. What it returns is handed to `dispose`.
 */
export async function findCulprit<R>(f: () => R, dispose: (result: R) => void): Promise<Culprit | undefined> {
  const traces: Trace[] = [];
  const watch = (kernel: string, inputs: KernelInputs, outputs: tf.Tensor | tf.Tensor[]): void => {
    const before = flags(Object.values(inputs as Record<string, tf.Tensor>));
    traces.push({ kernel, inputs: before, outputs: flags(Array.isArray(outputs) ? outputs : [outputs]) });
  };
  dispose(
    interpret(
      {
        kernel(name, inputs, attrs, next) {
          const out = next(name, inputs, attrs);
          watch(name, inputs, out);
          return out;
        },
      },
      f,
    ),
  );
  try {
    return await judge(traces);
  } finally {
    for (const { inputs, outputs } of traces) {
      for (const { nans, poison } of [...inputs, ...outputs]) tf.dispose([nans, poison]);
    }
  }
}

async function judge(traces: readonly Trace[]): Promise<Culprit | undefined> {
  let overflow: Culprit | undefined;
  for (const [index, { kernel, inputs, outputs }] of traces.entries()) {
    const made = await content(outputs);
    if (made === 'finite') continue;
    const got = await content(inputs);
    if (made === 'NaN' && got !== 'NaN') {
      const cause = got === 'infinity' && overflow !== undefined ? { overflow: overflow.kernel } : {};
      return { kernel, made, index, ...cause };
    }
    // A kernel without inputs makes the infinities that it was asked for.
    if (made === 'infinity' && got === 'finite' && inputs.length > 0) overflow ??= { kernel, made, index };
  }
  return overflow;
}
