// What a step of an MLP 784-1024-1024-10, batch 64, plain SGD, costs by each method: sampling, derivative and update.
import { sgd, takeStep } from '@frugal/core-trainer';
import { activityPerturbation, localLearning, weightPerturbation } from '@frugal/forward-grad';
import { mlp } from '@frugal/nn';
import {
  foldIn,
  type GradientEstimator,
  type GradientTransformation,
  jvp,
  type Key,
  key,
  type LossFunction,
  matMulAccumulate,
  meter,
  randomIntegers,
  randomNormal,
  randomSigns,
  type Staged,
  softmaxCrossEntropy,
  type Tree,
  treeDispose,
  treeMap,
  treeSize,
  valueAndGrad,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { quick, type Side } from '../harness.ts';

const BATCH = 64;
const RATE = 1e-5;
const SIZES = quick ? [784, 256, 256, 10] : [784, 1024, 1024, 10];
/** How many layers, and so blocks of weights, the network has. */
export const layers: number = SIZES.length - 1;

type Batch = { x: tf.Tensor; y: tf.Tensor };

const model = mlp(SIZES);
const loss: LossFunction<Tree, Batch> = (params, { x, y }) =>
  softmaxCrossEntropy({ logits: model.apply(params as never, x), labels: y });

/** The gradient by tape, as core-trainer's backprop has it. */
const tape = ((f, params, batch, k) => {
  const [value, grads] = valueAndGrad((p: typeof params) => tf.mean(f(p, batch, { train: true, key: k })))(params);
  return { loss: value, grads };
}) as GradientEstimator;

/** A whole step with parameters of its own; with `keys` as many, one for each. */
function step(
  batch: Batch,
  estimator: GradientEstimator,
  f: LossFunction<Tree, Batch> = loss,
  init = model.init as never,
  keys?: Key[],
): Side {
  const optimizer = sgd(RATE) as GradientTransformation;
  let params = (init as (k: ReturnType<typeof key>) => Tree)(key(3));
  let state = optimizer.init(params);
  let i = 0;
  return () => {
    for (const k of keys ?? [foldIn(key(4), i)]) {
      const { loss: value, grads } = estimator(f, params, batch, k);
      [params, state] = takeStep(optimizer, grads, state, params, { step: i++ });
      treeDispose(grads);
      value.dispose();
    }
  };
}

/** Backprop written out: every gradient is added to its weight by the product that makes it. */
function hand(batch: Batch): Side {
  let weights = SIZES.slice(1).map(
    (n, i) => randomNormal(foldIn(key(3), i), [SIZES[i]!, n], { sd: 0.03 }) as tf.Tensor2D,
  );
  let biases = SIZES.slice(1).map((n) => tf.zeros([n]) as tf.Tensor1D);
  const labels = tf.tidy(() => tf.cast(tf.oneHot(batch.y as tf.Tensor1D, SIZES.at(-1)!), 'float32'));
  const last = weights.length - 1;
  return () => {
    const next = tf.tidy(() => {
      const activities: tf.Tensor2D[] = [batch.x as tf.Tensor2D];
      for (const [i, b] of weights.entries()) {
        const activation = i < last ? 'relu' : 'linear';
        activities.push(tf.fused.matMul({ a: activities[i]!, b, bias: biases[i]!, activation }) as tf.Tensor2D);
      }
      let g = tf.sub(tf.softmax(activities[last + 1]!), labels) as tf.Tensor2D;
      const moved: [tf.Tensor2D, tf.Tensor1D][] = [];
      for (let i = last; i >= 0; i--) {
        const before =
          i > 0 ? (tf.mul(tf.matMul(g, weights[i]!, false, true), tf.step(activities[i]!)) as tf.Tensor2D) : g;
        const w = matMulAccumulate(
          { c: weights[i]!, a: activities[i]!, b: g },
          { transposeA: true, alpha: -RATE / BATCH },
        );
        moved.unshift([w as tf.Tensor2D, tf.sub(biases[i]!, tf.mul(tf.sum(g, 0), RATE / BATCH))]);
        g = before;
      }
      return moved;
    });
    tf.dispose(biases);
    weights = next.map(([w]) => w);
    biases = next.map(([, b]) => b);
  };
}

const makeBatch = (): Batch => ({
  x: randomNormal(key(1), [BATCH, SIZES[0]!]),
  y: randomIntegers(key(2), [BATCH], { max: SIZES.at(-1)! }),
});

/** A key for each layer, whose step perturbs that one: blocks are drawn from the key. */
function blockKeys(blockwise: GradientEstimator, params: Tree, batch: Batch): Key[] {
  return SIZES.slice(1).map((_, layer) => {
    for (let seed = 0; ; seed++) {
      const { loss: value, grads } = blockwise(loss, params, batch, key(seed));
      const chosen = (grads as { bias: unknown }[])[layer]!.bias instanceof tf.Tensor; // the others are structured zeros
      treeDispose(grads);
      value.dispose();
      if (chosen) return key(seed);
    }
  });
}

export type SideName = 'tape' | 'hand' | 'dense' | 'rankOne' | 'activity' | 'local' | 'blocks' | 'forward' | 'jvp';

/** All methods on tfjs's current backend, and how many bytes a dense step's directions take beyond its pass, ÷ the parameters'. */
export function makeSides(): { sides: Record<SideName, Side>; tangentBytes: number } {
  const batch = makeBatch();
  const local = localLearning<Tree, Batch>(model as unknown as Staged, { inputShape: [SIZES[0]!] });
  const blockwise = weightPerturbation({ blocks: (path) => path.split('.')[0]! });
  const params = model.init(key(3)) as Tree;
  const signs = treeMap((leaf) => randomSigns(key(9), leaf.shape), params);
  const forward = (p: Tree): tf.Tensor => tf.mean(loss(p, batch, { train: true }));
  const alongSigns = (): void => tf.dispose(jvp((p: Tree) => forward(p), [params], [signs]));
  const dense = weightPerturbation({ structure: 'dense' });
  const sides = {
    tape: step(batch, tape),
    hand: hand(batch),
    dense: step(batch, dense),
    rankOne: step(batch, weightPerturbation()),
    activity: step(batch, activityPerturbation()),
    local: step(batch, local.estimator, local.loss as never, local.model.init as never),
    blocks: step(batch, blockwise, loss, model.init as never, blockKeys(blockwise, params, batch)),
    forward: () => tf.dispose(forward(params)),
    jvp: alongSigns,
  };
  // The peak of a step above that of a derivative along signs that were there before.
  const beyond = meter(step(batch, dense)).peakBytes - meter(alongSigns).peakBytes;
  return { sides, tangentBytes: Math.max(0, beyond) / (4 * treeSize(params)) };
}

/** The same network as users of tfjs write it, on its own kernels: `optimizer.minimize`. */
export function stockStep(): Side {
  const { x, y } = makeBatch();
  const weights = SIZES.slice(1).map((n, i) => tf.tidy(() => tf.variable(tf.randomNormal([SIZES[i]!, n], 0, 0.03))));
  const biases = SIZES.slice(1).map((n) => tf.tidy(() => tf.variable(tf.zeros([n]))));
  const optimizer = tf.train.sgd(RATE);
  const labels = tf.oneHot(y as tf.Tensor1D, SIZES.at(-1)!);
  const forward = (): tf.Scalar => {
    const out = weights.reduce<tf.Tensor>((h, w, i) => {
      const z = tf.add(tf.matMul(h as tf.Tensor2D, w as tf.Tensor as tf.Tensor2D), biases[i]!);
      return i < layers - 1 ? tf.relu(z) : z;
    }, x);
    return tf.losses.softmaxCrossEntropy(labels, out);
  };
  return () => optimizer.minimize(forward)?.dispose();
}
