import { FrugalError, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Options of `predictionDepth`. */
export interface PredictionDepthOptions {
  /** Neighbours that vote. Default 30, as in the paper. */
  k?: number;
  /** Whether the queries are the support examples themselves, in their order, so that none may be its own neighbour. Default false. */
  leaveOneOut?: boolean;
  /** Queries whose distances to all support examples are in memory at once. Default 256. */
  batchSize?: number;
}

/** At which depth a network makes up its mind. */
export interface PredictionDepth {
  /**
   * Per query the first probe from which on all probes say what the network says in the end: 0 the input, i the output of stage i, stages + 1 its
   * softmax; stages + 2 where the last probe still says something else. Larger is harder.
   */
  readonly depth: Int32Array;
  /** What each probe says, by point and query. */
  readonly probes: readonly Int32Array[];
  /** What the network says. */
  readonly predictions: Int32Array;
}

/**
 * Prediction depth (Baldock et al. 2021, arXiv 2106.09647): how early in a network its answer to an example is there.
 *
 * After every stage the k nearest of the support examples, by Euclidean distance of what the stage gives, vote by their labels; of equally many votes
 * the class of the nearer neighbour wins.
 *
 * @param model Whose output are logits, [B, classes].
 * @param support Examples with labels [N], e.g. a part of the training set.
 * @param queries [Q, …].
 * @returns For `difficulty` and `agreement`: `depth` of several seeds.
 * @throws {FrugalError} `BAD_ARGUMENT` if there are fewer support examples than neighbours, or `leaveOneOut` and the sizes differ.
 */
export async function predictionDepth<P extends Tree>(
  model: Staged<P>,
  params: P,
  support: { readonly x: tf.Tensor; readonly y: tf.Tensor },
  queries: tf.Tensor,
  options: PredictionDepthOptions = {},
): Promise<PredictionDepth> {
  const { k = 30, leaveOneOut = false, batchSize = 256 } = options;
  const [count, asked] = [support.x.shape[0]!, queries.shape[0]!];
  const others = count - (leaveOneOut ? 1 : 0);
  if (!(Number.isInteger(k) && k >= 1 && k <= others) || (leaveOneOut && asked !== count)) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `predictionDepth: k must be an integer from 1 to the ${others} support examples that may vote, and leaveOneOut takes queries that are ` +
        `the support; got k ${k}, ${asked} queries, ${count} support examples.`,
    );
  }
  const labels = (await support.y.data()) as Int32Array;
  let [known, open] = [support.x.clone(), queries.clone()];
  const probes: Int32Array[] = [];
  let predictions = new Int32Array(0);
  try {
    for (let point = 0; point <= model.stages.length + 1; point++) {
      if (point > 0) {
        const step = (h: tf.Tensor): tf.Tensor =>
          tf.tidy(() => (point <= model.stages.length ? model.stages[point - 1]!.apply(params, h) : tf.softmax(h)));
        const next = [step(known), step(open)] as const;
        tf.dispose([known, open]);
        [known, open] = next;
      }
      probes.push(await vote(known, open, labels, { k, leaveOneOut, batchSize }));
      if (point === model.stages.length) {
        const answers = tf.tidy(() => tf.argMax(open, -1));
        predictions = Int32Array.from(await answers.data());
        answers.dispose();
      }
    }
  } finally {
    tf.dispose([known, open]);
  }
  const depth = Int32Array.from(predictions, (answer, i) => {
    let first = probes.length;
    while (first > 0 && probes[first - 1]![i] === answer) first--;
    return first;
  });
  return { depth, probes, predictions };
}

/** The class that most of the nearest neighbours of each query have. */
async function vote(
  known: tf.Tensor,
  open: tf.Tensor,
  labels: ArrayLike<number>,
  { k, leaveOneOut, batchSize }: Required<PredictionDepthOptions>,
): Promise<Int32Array> {
  const [count, asked] = [known.shape[0]!, open.shape[0]!];
  const out = new Int32Array(asked);
  const width = known.size / count;
  for (let from = 0; from < asked; from += batchSize) {
    const rows = Math.min(batchSize, asked - from);
    const nearest = tf.tidy(() => {
      const flat = tf.cast(tf.reshape(known, [count, width]), 'float32') as tf.Tensor2D;
      // Distances do not change if both are moved, and numbers near 0 lose less in what follows.
      const center = tf.mean(flat, 0);
      const support = tf.sub(flat, center) as tf.Tensor2D;
      const own = tf.cast(tf.reshape(tf.slice(open, from, rows), [rows, width]), 'float32');
      const part = tf.sub(own, center) as tf.Tensor2D;
      // −‖q − s‖² + ‖q‖², which orders as −‖q − s‖² does.
      const near = tf.sub(tf.mul(tf.matMul(part, support, false, true), 2), tf.sum(tf.square(support), 1));
      return tf.topk(near, Math.min(count, leaveOneOut ? k + 1 : k)).indices;
    });
    const indices = (await nearest.data()) as Int32Array;
    nearest.dispose();
    const wide = indices.length / rows;
    for (let row = 0; row < rows; row++) {
      const all = Array.from(indices.subarray(row * wide, (row + 1) * wide));
      const voters = (leaveOneOut ? all.filter((i) => i !== from + row) : all).slice(0, k);
      out[from + row] = majority(voters.map((i) => labels[i]!));
    }
  }
  return out;
}

/** The most frequent value, of equally frequent ones the first. */
function majority(values: readonly number[]): number {
  const votes = new Map<number, number>();
  for (const value of values) votes.set(value, (votes.get(value) ?? 0) + 1);
  // A map keeps the order of first appearance.
  return [...votes].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}
