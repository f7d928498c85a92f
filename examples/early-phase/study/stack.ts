// Many small MLPs trained as one: the copies of a seed share their batches, and differ by the learning rate.
import { toBatch } from '@frugal/datasets';
import {
  adamStep,
  momentumStep,
  type Schedule,
  sgdStep,
  treeDispose,
  treeLeaves,
  treeUnflatten,
  valueAndGrad,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { exampleAccuracies, exampleLosses, type NetTask, type OptimizerName } from './tasks.ts';

/** Weights of all copies: the first layer [inputs, copies · outputs], for all copies read the same input; then [copies, inputs, outputs]. */
type Layers = { weight: tf.Tensor; bias: tf.Tensor }[];

/** What became of each copy. */
export interface Outcome {
  readonly rate: number;
  /** On the test examples; NaN or infinite where it diverged. */
  readonly loss: number;
  readonly accuracy: number;
  /** The training loss of each step. */
  readonly losses: Float32Array;
}

/** Copies of one net, one for each rate. */
export interface StackOptions {
  readonly task: NetTask;
  readonly optimizer: OptimizerName;
  /** The net that all copies start as. */
  readonly params: readonly { readonly weight: tf.Tensor; readonly bias: tf.Tensor }[];
  /** The peaks of their schedules. */
  readonly rates: readonly number[];
  readonly shape: (peak: number, steps: number) => Schedule;
  readonly steps: number;
  /** The batch of a step; consumed. */
  batch(step: number): Promise<{ x: tf.Tensor; y: tf.Tensor }>;
}

function spread(params: StackOptions['params'], copies: number): Layers {
  return params.map(({ weight, bias }, i) =>
    i === 0
      ? { weight: tf.tile(weight as tf.Tensor2D, [1, copies]), bias: tf.tile(bias as tf.Tensor1D, [copies]) }
      : {
          weight: tf.tile(tf.expandDims(weight, 0), [copies, 1, 1]),
          bias: tf.tile(tf.expandDims(tf.expandDims(bias, 0), 0), [copies, 1, 1]),
        },
  );
}

/** [B, inputs] → [copies, B, outputs]. */
function forward({ sizes, activation }: NetTask, layers: Layers, x: tf.Tensor, copies: number): tf.Tensor {
  const act = activation === 'relu' ? tf.relu : tf.tanh;
  const [examples] = x.shape as [number];
  const first = tf.add(tf.matMul(x as tf.Tensor2D, layers[0]!.weight as tf.Tensor2D), layers[0]!.bias);
  let h: tf.Tensor = tf.transpose(tf.reshape(first, [examples, copies, sizes[1]!]), [1, 0, 2]);
  for (const { weight, bias } of layers.slice(1)) h = tf.add(tf.matMul(act(h), weight), bias);
  return h;
}

/** Trains all copies. The learning rate of a copy is its peak times the schedule of peak 1. */
export async function trainStack(options: StackOptions): Promise<Outcome[]> {
  const { task, optimizer, rates, steps } = options;
  const copies = rates.length;
  const schedule = options.shape(1, steps);
  let layers = tf.tidy(() => spread(options.params, copies));
  const zeros = (): tf.Tensor[] => treeLeaves(layers).map((leaf) => tf.zeros(leaf.shape));
  let [m, v] = [optimizer === 'sgd' ? [] : zeros(), optimizer === 'adamw' ? zeros() : []];
  // Gradients times the rate of each copy are what plain and heavy-ball descent need: the weight of its loss says it all.
  const weights = tf.tensor(optimizer === 'adamw' ? rates.map(() => 1) : [...rates]);
  const perLeaf = optimizer === 'adamw' ? ratesPerLeaf(layers, rates, task) : [];
  const gradient = valueAndGrad(
    (p: Layers, x: tf.Tensor, y: tf.Tensor): [tf.Tensor, tf.Tensor] => {
      const losses = tf.mean(exampleLosses(task, forward(task, p, x, copies), y), 1);
      return [tf.sum(tf.mul(losses, weights)), losses];
    },
    { hasAux: true },
  );
  const history = rates.map(() => new Float32Array(steps));
  for (let step = 0; step < steps; step++) {
    const { x, y } = await options.batch(step);
    const [total, grads, losses] = gradient(layers, x, y);
    const learningRate = schedule(step);
    const [params, g] = [treeLeaves(layers), treeLeaves(grads)];
    if (optimizer === 'sgd') layers = treeUnflatten(layers, sgdStep({ params, grads: g }, { learningRate }).params);
    else if (optimizer === 'momentum') {
      const next = momentumStep({ params, grads: g, m }, { learningRate, beta: 0.9 });
      layers = treeUnflatten(layers, next.params);
      m = next.m;
    } else {
      const constants = { learningRate: 1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step: step + 1 };
      const next = adamStep({ params: params.map((p) => tf.zerosLike(p)), grads: g, m, v }, constants);
      ({ m, v } = next);
      const moved = params.map((p, i) =>
        tf.tidy(() => tf.add(p, tf.mul(tf.mul(perLeaf[i]!, learningRate), tf.sub(next.params[i]!, tf.mul(p, 0.01))))),
      );
      tf.dispose([params, next.params]);
      layers = treeUnflatten(layers, moved);
    }
    const read = await losses.data();
    for (const [i, row] of history.entries()) row[step] = read[i]!;
    tf.dispose([x, y, total, losses]);
    treeDispose(grads);
  }
  const { loss, accuracy } = await evaluate(task, layers, copies);
  treeDispose(layers);
  tf.dispose([m, v, weights, perLeaf]);
  return rates.map((rate, i) => ({ rate, loss: loss[i]!, accuracy: accuracy[i]!, losses: history[i]! }));
}

/** The rate of each copy in a shape that spreads over a leaf. */
function ratesPerLeaf(layers: Layers, rates: readonly number[], { sizes }: NetTask): tf.Tensor[] {
  return layers.flatMap((_, i) => {
    if (i > 0) return [tf.tensor([...rates], [rates.length, 1, 1]), tf.tensor([...rates], [rates.length, 1, 1])];
    const repeated = rates.flatMap((rate) => new Array<number>(sizes[1]!).fill(rate));
    return [tf.tensor(repeated, [1, repeated.length]), tf.tensor(repeated)];
  });
}

async function evaluate(
  task: NetTask,
  layers: Layers,
  copies: number,
): Promise<{ loss: Float32Array; accuracy: Float32Array }> {
  const sums = { loss: new Float32Array(copies), accuracy: new Float32Array(copies) };
  const chunk = 250;
  const { test } = task;
  for (let from = 0; from < test.size; from += chunk) {
    const { x, y } = toBatch(
      test,
      Int32Array.from({ length: Math.min(chunk, test.size - from) }, (_, i) => from + i),
    );
    const [loss, accuracy] = tf.tidy(() => {
      const output = forward(task, layers, x, copies);
      return [tf.sum(exampleLosses(task, output, y), 1), tf.sum(exampleAccuracies(task, output, y), 1)] as const;
    });
    const [a, b] = [await loss.data(), await accuracy.data()];
    for (let i = 0; i < copies; i++) {
      sums.loss[i]! += a[i]! / test.size;
      sums.accuracy[i]! += b[i]! / test.size;
    }
    tf.dispose([x, y, loss, accuracy]);
  }
  return sums as { loss: Float32Array; accuracy: Float32Array };
}
