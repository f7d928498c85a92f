import { adam, cosine, takeStep } from '@frugal/core-trainer';
import { foldIn, type GradientTransformation, type Key, treeDispose, valueAndGrad } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { drawBoards, rule, windows } from './boards.ts';
import { type Family, logitsOf, type Nets, windowShares } from './nets.ts';

/** How nets are taught. */
export interface Lesson {
  readonly updates: number;
  /** Boards that each net sees in an update. */
  readonly boards: number;
  readonly density: number;
  readonly peak: number;
  readonly key: Key;
  /** Wraps the optimizer, e.g. so that what is cut stays zero. */
  readonly optimizer?: (plain: GradientTransformation) => GradientTransformation;
  /** Called now and then; the nets stay the teacher's. */
  readonly watch?: (update: number, nets: Nets) => Promise<void> | void;
}

/** log(1 + e^x) − x·y, which is −log of the probability that the logit x gives to y. */
export function crossEntropy(logits: tf.Tensor, targets: tf.Tensor): tf.Tensor {
  return tf.sub(tf.softplus(logits), tf.mul(logits, targets));
}

/**
 * Teaches all nets at once, each on boards of its own, by Adam on the cross-entropy of the cells.
 *
 * Nets do not meet: Adam works number by number and the loss is a sum over nets, so each learns as it would alone.
 *
 * @param nets Where to start from; donated.
 */
export async function teach(family: Family, nets: Nets, lesson: Lesson): Promise<Nets> {
  const { updates, boards, density, peak, key, watch, optimizer: wrap = (plain) => plain } = lesson;
  const { steps, nets: count } = family;
  const optimizer = wrap(
    adam(cosine(peak, { steps: updates, warmup: Math.min(100, updates >> 2), final: peak / 100 }), { epsilon: 1e-8 }),
  );
  const all = windows();
  const answers = tf.tensor1d(rule());
  const one = valueAndGrad((params: Nets, shares: tf.Tensor) =>
    tf.sum(tf.mul(crossEntropy(logitsOf(params, all), answers), shares)),
  );
  let state = optimizer.init(nets);
  let params = nets;
  for (let step = 0; step < updates; step++) {
    const batch = drawBoards(foldIn(key, step), { nets: count, boards, steps, density });
    let loss: tf.Tensor;
    let grads: Nets;
    if (steps === 1) {
      const shares = windowShares(batch);
      [loss, grads] = one(params, shares);
      shares.dispose();
    } else {
      const targets = tf.tensor2d(Float32Array.from(batch.next()), [count, batch.cells]);
      [loss, grads] = valueAndGrad((now: Nets) =>
        tf.mul(tf.sum(crossEntropy(logitsOf(now, all, batch), targets)), 1 / batch.cells),
      )(params);
      targets.dispose();
    }
    [params, state] = takeStep(optimizer, grads, state, params, { step });
    treeDispose([loss, grads]);
    if (step % 64 === 63) {
      await watch?.(step + 1, params);
      await new Promise((resolve) => setTimeout(resolve)); // a page has no setImmediate
    }
  }
  treeDispose(state);
  tf.dispose([all, answers]);
  return params;
}

/** The share of wrong cells of each net: over all 512 windows, or on so many fresh boards where several steps are foreseen. */
export async function wrongCells(family: Family, nets: Nets, key: Key, rounds = 64): Promise<number[]> {
  const all = windows();
  const wrong = new Array<number>(family.nets).fill(0);
  let cells = 0;
  const count = async (logits: tf.Tensor, right: (net: number, cell: number) => number): Promise<void> => {
    const values = await logits.data();
    const width = logits.shape[1]!;
    for (let i = 0; i < values.length; i++) {
      const net = Math.floor(i / width);
      if (Number(values[i]! > 0) !== right(net, i % width)) wrong[net]!++;
    }
    cells += width;
    logits.dispose();
  };
  if (family.steps === 1) {
    const answers = rule();
    await count(logitsOf(nets, all), (_net, window) => answers[window]!);
  } else {
    for (let round = 0; round < rounds; round++) {
      // Other densities than in training too: what is rare there must be right as well.
      const density = [0.38, 0.2, 0.5, 0.7][round % 4]!;
      const batch = drawBoards(foldIn(key, round), { nets: family.nets, boards: 8, steps: family.steps, density });
      const next = batch.next();
      await count(logitsOf(nets, all, batch), (net, cell) => next[net * batch.cells + cell]!);
    }
  }
  all.dispose();
  return wrong.map((sum) => sum / cells);
}
