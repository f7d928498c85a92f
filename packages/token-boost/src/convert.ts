import { FrugalError, isTensor, type Tree, treeClone, treeGraft } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { BoostParams } from './boost.ts';
import type { LearnersParams } from './learners.ts';
import type { Affine, Replaced } from './teaching.ts';

const isBoosted = (node: Tree): node is BoostParams =>
  !isTensor(node) && !Array.isArray(node) && 'gate' in node && 'learners' in node && 'bias' in node;

/**
 * Parameters for a model with boosted layers out of the trained parameters of the dense one.
 *
 * A feed-forward network of as many hidden units as all learners have is dealt out to them, those that weigh most first, so
 * that all learners together compute what it computed; other layers (projections, other widths) keep their fresh learners
 * and take over the bias. Everything else is copied. Distil next (`distillLoss`): the first learners have to stand alone.
 *
 * @param fresh Of the model with boosted layers, by its `init`; stays the caller's.
 * @param trained Of the dense model, the same in all else.
 * @returns New tensors.
 * @throws {FrugalError} `BAD_TREE` where the two do not fit, by path.
 */
export function boostParams<P extends Tree>(fresh: P, trained: Tree): P {
  return treeGraft(fresh, trained, (mine, theirs, path) =>
    isBoosted(mine) ? fromDense(mine, theirs as Replaced, path) : undefined,
  );
}

function fromDense(fresh: BoostParams, trained: Replaced, path: string): Tree {
  const { w1, w2 } = fresh.learners;
  const [learners, dim, hidden] = w1.shape;
  const out = w2.shape[2];
  const last: Affine | undefined = 'fc1' in trained ? trained.fc2 : trained;
  const width = last?.weight?.shape[1];
  if (width !== out) {
    throw new FrugalError('BAD_TREE', `boostParams: the layer at '${path}' is ${out} wide, what it replaces ${width}.`);
  }
  const bias = last.bias === undefined ? tf.zeros([out]) : tf.clone(last.bias);
  const gate = treeClone(fresh.gate);
  const units = 'fc1' in trained ? trained.fc1.weight.shape[1] : 0;
  if (!('fc1' in trained) || units !== learners * hidden) return { gate, learners: treeClone(fresh.learners), bias };
  return { gate, learners: dealOut(trained, { learners, dim, hidden, out }), bias };
}

/** Hidden units by how much they can weigh, |w_in| · |w_out|, largest first. */
function dealOut(
  { fc1, fc2 }: { readonly fc1: Affine; readonly fc2: Affine },
  { learners, dim, hidden, out }: { learners: number; dim: number; hidden: number; out: number },
): LearnersParams {
  const weight = tf.mul(tf.norm(fc1.weight, 2, 0), tf.norm(fc2.weight, 2, 1));
  const { indices } = tf.topk(weight, learners * hidden);
  const into = tf.gather(tf.transpose(fc1.weight), indices as tf.Tensor1D);
  return {
    w1: tf.transpose(tf.reshape(into, [learners, hidden, dim]), [0, 2, 1]) as tf.Tensor3D,
    b1: tf.reshape(
      fc1.bias === undefined ? tf.zeros([learners * hidden]) : tf.gather(fc1.bias, indices as tf.Tensor1D),
      [learners, hidden],
    ) as tf.Tensor2D,
    w2: tf.reshape(tf.gather(fc2.weight, indices as tf.Tensor1D), [learners, hidden, out]) as tf.Tensor3D,
  };
}
