// The tasks of the experiment: small MLPs on digits, letters and numbers.
import { type Examples, type LabelledImages, type Mnist, teacherRegression, toBatch } from '@frugal/datasets';
import { heNormal, lecunNormal, mlp } from '@frugal/nn';
import { fillIntegers, foldIn, key, softmaxCrossEntropy } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** The optimizers that each task is trained with. */
export type OptimizerName = 'sgd' | 'momentum' | 'adamw';

/** What the rows of a task are. */
type Rows = Examples<Float32Array, Int32Array | Float32Array>;

/** An MLP and what it learns. */
export interface NetTask {
  readonly name: string;
  readonly sizes: readonly number[];
  readonly activation: 'relu' | 'tanh';
  readonly kind: 'classification' | 'regression';
  /** Factor on the loss. */
  readonly lossScale: number;
  readonly train: Rows;
  readonly test: Rows;
}

/** 28 × 28 bytes to 14 × 14 means of four, with the normalisation of MNIST, times `scale`. */
function digits({ x, y }: LabelledImages, from: number, size: number, scale = 1): Rows {
  const means = new Float32Array(size * 196);
  for (let n = 0; n < size; n++) {
    for (let i = 0; i < 196; i++) {
      const corner = (from + n) * 784 + 56 * Math.floor(i / 14) + 2 * (i % 14);
      const sum = x[corner]! + x[corner + 1]! + x[corner + 28]! + x[corner + 29]!;
      means[n * 196 + i] = (scale * (sum / 4 / 255 - 0.1307)) / 0.3081;
    }
  }
  return { size, x: means, shape: [196], y: Int32Array.from(y.subarray(from, from + size)), targetShape: [] };
}

/** The next of 27 letters (a–z and the space) after `context` of them, one-hot, at random places of a text. */
function letters(text: string, context: number, size: number, seed: number): Rows {
  const plain = text.toLowerCase().replaceAll(/[^a-z]+/g, ' ');
  const places = new Int32Array(size);
  fillIntegers(key(seed), places, 0, plain.length - context - 1);
  const code = (at: number): number => (plain[at] === ' ' ? 26 : plain.charCodeAt(at) - 97);
  const x = new Float32Array(size * context * 27);
  const y = new Int32Array(size);
  for (const [n, place] of places.entries()) {
    for (let i = 0; i < context; i++) x[(n * context + i) * 27 + code(place + i)] = 1;
    y[n] = code(place + context);
  }
  return { size, x, shape: [context * 27], y, targetShape: [] };
}

/** A noisy tanh teacher, its targets of variance 1; the last `tests` rows apart. */
function numbers(inputs: number, hidden: number, seed: number, [train, test]: [number, number]): [Rows, Rows] {
  const { examples } = teacherRegression({ size: train + test, inputs, hidden: [hidden], noise: 0.1, key: key(seed) });
  const { x, y } = examples;
  const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
  const sd = Math.sqrt(y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / y.length);
  const targets = y.map((value) => (value - mean) / sd);
  const part = (from: number, to: number): Rows => ({
    size: to - from,
    x: x.slice(from * inputs, to * inputs),
    shape: [inputs],
    y: targets.slice(from, to),
    targetShape: [],
  });
  return [part(0, train), part(train, train + test)];
}

/** The module of a task: He's first weights for ReLU, LeCun's for tanh. */
export function netOf({ sizes, activation }: NetTask) {
  return mlp(sizes, { activation, weightInit: activation === 'relu' ? heNormal() : lecunNormal() });
}

/** Two families of tasks: by one the default is chosen, by the other it is judged. They share no examples. */
export function makeTasks(mnist: Mnist, text: string): { choosing: NetTask[]; reporting: NetTask[] } {
  const common = { kind: 'classification', lossScale: 1 } as const;
  const [half, TRAIN, TEST] = [Math.floor(text.length / 2), 16_000, 2_000];
  const digitsOf = (from: number, scale = 1) => ({
    train: digits(mnist.train, from, TRAIN, scale),
    // Digits to choose by come from the training set: the test images only report.
    test: from > 0 ? digits(mnist.train, 58_000, TEST, scale) : digits(mnist.test, 0, TEST, scale),
  });
  const lettersOf = (part: string, context: number, seed: number) => {
    const at = Math.floor(part.length * 0.9);
    return {
      train: letters(part.slice(0, at), context, TRAIN, seed),
      test: letters(part.slice(at), context, TEST, seed + 1),
    };
  };
  const numbersOf = (inputs: number, hidden: number, seed: number) => {
    const [train, test] = numbers(inputs, hidden, seed, [TRAIN, TEST]);
    return { kind: 'regression', lossScale: 1, train, test } as const;
  };
  const chosen = digitsOf(20_000);
  const reported = digitsOf(0);
  const first = text.slice(0, half);
  const second = text.slice(half);
  return {
    choosing: [
      { name: 'digits relu 32', sizes: [196, 32, 10], activation: 'relu', ...common, ...chosen },
      { name: 'digits tanh 40×3', sizes: [196, 40, 40, 40, 10], activation: 'tanh', ...common, ...chosen },
      { name: 'letters relu 64', sizes: [108, 64, 27], activation: 'relu', ...common, ...lettersOf(first, 4, 1) },
      { name: 'numbers tanh 32', sizes: [12, 32, 1], activation: 'tanh', ...numbersOf(12, 8, 2) },
      { name: 'numbers relu 48×2', sizes: [16, 48, 48, 1], activation: 'relu', ...numbersOf(16, 12, 77) },
    ],
    reporting: [
      { name: 'digits relu 64', sizes: [196, 64, 10], activation: 'relu', ...common, ...reported },
      { name: 'digits relu 64×3', sizes: [196, 64, 64, 64, 10], activation: 'relu', ...common, ...reported },
      { name: 'digits tanh 64×2', sizes: [196, 64, 64, 10], activation: 'tanh', ...common, ...reported },
      { name: 'digits tanh 40×5', sizes: [196, 40, 40, 40, 40, 40, 10], activation: 'tanh', ...common, ...reported },
      { name: 'letters tanh 64', sizes: [162, 64, 27], activation: 'tanh', ...common, ...lettersOf(second, 6, 3) },
      { name: 'numbers relu 64×2', sizes: [20, 64, 64, 1], activation: 'relu', ...numbersOf(20, 16, 4) },
      {
        name: 'rescaled relu 64',
        sizes: [196, 64, 10],
        activation: 'relu',
        ...common,
        ...digitsOf(0, 10),
        lossScale: 10,
      },
    ],
  };
}

/** The key of a seed's run of a task. */
export function keyOf(seed: number, use: number): ReturnType<typeof key> {
  return foldIn(key(1000 + seed), use);
}

/** The mean loss and accuracy of one net on some rows. */
export async function lossOn(
  task: NetTask,
  params: Parameters<ReturnType<typeof netOf>['apply']>[0],
  rows: Rows,
): Promise<{ loss: number; accuracy: number }> {
  const sums = tf.tidy(() => {
    const { x, y } = toBatch(
      rows,
      Int32Array.from({ length: rows.size }, (_, i) => i),
    );
    const output = netOf(task).apply(params, x);
    const losses = exampleLosses(task, tf.expandDims(output, 0), y);
    return tf.stack([tf.mean(losses), tf.mean(exampleAccuracies(task, tf.expandDims(output, 0), y))]);
  });
  const [loss, accuracy] = await sums.data();
  sums.dispose();
  return { loss: loss!, accuracy: accuracy! };
}

/** The loss of each example of each copy of a net: [copies, B, C] and [B] → [copies, B]. */
export function exampleLosses({ kind, lossScale }: NetTask, output: tf.Tensor, y: tf.Tensor): tf.Tensor {
  const [copies, examples, width] = output.shape as [number, number, number];
  if (kind === 'regression') {
    const targets = tf.reshape(y, [1, examples]);
    return tf.mul(tf.square(tf.sub(tf.squeeze(output, [2]), targets)), lossScale);
  }
  const labels = tf.reshape(tf.tile(tf.expandDims(y, 0), [copies, 1]), [copies * examples]);
  const flat = softmaxCrossEntropy({ logits: tf.reshape(output, [copies * examples, width]), labels });
  return tf.mul(tf.reshape(flat, [copies, examples]), lossScale);
}

/** 1 where an answer is right; for regression 1 − the squared error, for targets have variance 1. */
export function exampleAccuracies({ kind }: NetTask, output: tf.Tensor, y: tf.Tensor): tf.Tensor {
  const [, examples] = output.shape as [number, number, number];
  const targets = tf.reshape(y, [1, examples]);
  if (kind === 'regression') return tf.sub(1, tf.square(tf.sub(tf.squeeze(output, [2]), targets)));
  return tf.cast(tf.equal(tf.argMax(output, 2), targets), 'float32');
}
