import {
  type Estimate,
  isStructured,
  sgdStep,
  type Tree,
  treeClone,
  treeDispose,
  treeLeaves,
  treeMap,
  treeMaterialize,
  treeUnflatten,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { ProbeError } from '../errors.ts';
import type { OptimizerFactory, OptimizerPosition } from '../problem.ts';
import { read, type Scene } from '../scene.ts';

/** The actual update of an optimizer as a line, and the loss where it starts. */
export interface Direction<P extends Tree> {
  readonly update: P;
  /** What `update` is at rate 1, times this. */
  readonly unit: number;
  /** The loss where the line starts, on the batch of the gradient. */
  readonly loss: number;
  /** d loss / d rate at 0, on that batch: gradient · update; negative downhill. */
  readonly slope: number;
}

/** Σ over leaves of a · b. */
function treeDot(a: Tree, b: Tree): tf.Scalar {
  return tf.tidy(() => {
    const others = treeLeaves(b);
    return tf.addN(treeLeaves(a).map((leaf, i) => tf.sum(tf.mul(leaf, others[i]!)))) as tf.Scalar;
  });
}

/** A rate at which the update dwarfs the parameters, so that their difference loses no digits of it. */
const FAR = 2 ** 20;

/** The update at rate `FAR`; by the optimizer's fused step where it has one, less the parameters. */
function farUpdate<P extends Tree>(
  optimizer: OptimizerFactory,
  params: P,
  grads: UpdateTree,
  loss: tf.Scalar,
  position: OptimizerPosition | undefined,
): P {
  const chain = optimizer(FAR);
  const extra = { step: position?.step ?? 0, loss };
  if (chain.step === undefined || treeLeaves(grads).some(isStructured)) {
    const slots = position?.state ?? chain.init(params);
    const [raw, next] = chain.update(grads, slots, params, extra);
    const dense = treeMaterialize(raw) as P;
    treeDispose(raw);
    treeDispose(next);
    if (position === undefined) treeDispose(slots);
    return dense;
  }
  const slots = position === undefined ? chain.init(params) : treeClone(position.state);
  const [moved, next] = chain.step(grads, slots, treeClone(params), extra);
  const update = treeMap((there, here) => tf.sub(there, here!), moved, params) as P;
  treeDispose([moved, next]);
  return update;
}

/** Where the optimizer would go at a rate: new tensors, by one kernel for the whole tree where the backend has it. */
export function moveAlong<P extends Tree>(params: P, { update, unit }: Direction<P>, rate: number): P {
  const leaves = treeLeaves(params).map((leaf) => tf.clone(leaf));
  const moved = sgdStep({ params: leaves, grads: treeLeaves(update) }, { learningRate: -rate / unit });
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
  const batch = await scene.batch(0);
  const state = scene.state();
  let found: Estimate;
  try {
    found = scene.gradient(params, batch, 0, state);
  } finally {
    state.dispose();
  }
  const { loss, grads } = found;
  let value: number;
  let made: { update: Tree; slope: tf.Scalar };
  try {
    made = scene.update(() => {
      const update = farUpdate(optimizer, params, grads, loss, position);
      const gradient = treeMaterialize(grads);
      const slope = treeDot(gradient, update);
      treeDispose(gradient);
      return { update, slope };
    });
    value = (await loss.data())[0]!;
  } finally {
    loss.dispose();
    treeDispose(grads);
  }
  const slope = (await read(made.slope)) / FAR;
  if (Number.isFinite(value) && Number.isFinite(slope)) {
    return { update: made.update as P, unit: FAR, loss: value, slope };
  }
  treeDispose(made.update);
  throw new ProbeError(
    'NOT_FINITE',
    `the loss at the start is ${value}, its slope along the update ${slope}. Look at the data and the initial parameters first.`,
  );
}
