import {
  sgdStep,
  type Tree,
  treeDispose,
  treeLeaves,
  treeMaterialize,
  treeUnflatten,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { ProbeError } from '../errors.ts';
import type { OptimizerFactory, OptimizerPosition } from '../problem.ts';
import { read, type Scene } from '../scene.ts';

/** The actual update of an optimizer, per unit of learning rate, and the loss it was found at. */
export interface Direction<P extends Tree> {
  readonly update: P;
  /** The loss where the line starts, on the batch of the gradient. */
  readonly loss: number;
  /** d loss / d rate at 0, on that batch: gradient · update; negative downhill. */
  readonly slope: number;
}

/** Σ over leaves of a · b. */
export function treeDot(a: Tree, b: Tree): tf.Scalar {
  return tf.tidy(() => {
    const others = treeLeaves(b);
    const products = treeLeaves(a).map((leaf, i) => tf.sum(tf.mul(leaf, others[i]!)));
    return tf.addN(products) as tf.Scalar;
  });
}

/** params + rate · update: new tensors. One kernel for the whole tree where the backend has it. */
export function moveAlong<P extends Tree>(params: P, update: Tree, rate: number): P {
  const leaves = treeLeaves(params).map((leaf) => tf.clone(leaf));
  const moved = sgdStep({ params: leaves, grads: treeLeaves(update) }, { learningRate: -rate });
  return treeUnflatten(params, moved.params);
}

/**
 * The update that the optimizer would make on batch 0, as a line: updates of SGD, momentum, Adam and their like are
 * linear in the rate, so one direction stands for all rates.
 *
 * @throws {ProbeError} `NOT_FINITE`.
 */
export async function findDirection<P extends Tree, B>(
  scene: Scene<P, B>,
  optimizer: OptimizerFactory,
  position?: OptimizerPosition,
): Promise<Direction<P>> {
  const { params } = scene.problem;
  const chain = optimizer(1);
  const state = scene.state();
  const { loss, grads } = scene.gradient(params, await scene.batch(0), 0, state);
  state.dispose();
  let value: number;
  let made: { update: Tree; slope: tf.Scalar };
  try {
    made = scene.update(() => {
      const slots = position?.state ?? chain.init(params);
      const [raw, next] = chain.update(grads, slots, params, { step: position?.step ?? 0, loss });
      treeDispose(next);
      if (position === undefined) treeDispose(slots);
      const dense = treeMaterialize(raw as UpdateTree);
      treeDispose(raw);
      const gradient = treeMaterialize(grads);
      const slope = treeDot(gradient, dense);
      treeDispose(gradient);
      return { update: dense, slope };
    });
    value = (await loss.data())[0]!;
  } finally {
    loss.dispose();
    treeDispose(grads);
  }
  const slope = await read(made.slope);
  if (Number.isFinite(value) && Number.isFinite(slope)) return { update: made.update as P, loss: value, slope };
  treeDispose(made.update);
  throw new ProbeError(
    'NOT_FINITE',
    `the loss at the start is ${value}, its slope along the update ${slope}. Look at the data and the initial parameters first.`,
  );
}
