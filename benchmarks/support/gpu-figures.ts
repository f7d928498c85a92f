// What a graphics card is measured by: training steps, a step without a backward pass, sampling, and LeNet-5 on real digits.
import {
  adam,
  backprop,
  classification,
  evaluate,
  sgd,
  softmaxCrossEntropy,
  takeStep,
  train,
} from '@frugal/core-trainer';
import { type LabelledImages, type Mnist, normalizations, subset, toDataset } from '@frugal/datasets';
import { weightPerturbation } from '@frugal/forward-grad';
import { lenet5, mlp, vit } from '@frugal/nn';
import {
  type Dataset,
  foldIn,
  type GradientEstimator,
  key,
  type Labelled,
  type Module,
  randomIntegers,
  randomNormal,
  randomUniform,
  type Tree,
  treeDispose,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { interleave, quick, type Side, table } from '../harness.ts';
import { trainingStep } from './step.ts';
import type { Torch } from './torch.ts';

/** Batch of every training step, as in torch-steps.py. */
const BATCH = 64;
/** Steps between two reads: the queue is as long as a training loop's. */
const STEPS = quick ? 2 : 20;

const nets: Record<'mlp' | 'lenet' | 'vit', { readonly model: () => Module; readonly shape: number[] }> = {
  mlp: { model: () => mlp(quick ? [784, 64, 10] : [784, 1024, 1024, 10]) as Module, shape: [784] },
  lenet: { model: () => lenet5() as unknown as Module, shape: [28, 28, 1] },
  vit: {
    model: () => vit(quick ? { dim: 16, depth: 1, heads: 2 } : { dim: 128, depth: 5, heads: 4 }) as unknown as Module,
    shape: [28, 28, 1],
  },
};

const batchOf = (shape: readonly number[]) => ({
  x: randomUniform(key(1), [quick ? 8 : BATCH, ...shape]),
  y: randomIntegers(key(2), [quick ? 8 : BATCH], { max: 10 }),
});

/** Steps of an estimator with SGD, the loss read at the end. */
function estimatorSteps(estimator: GradientEstimator): Side {
  const { model, shape } = nets.mlp;
  const net = model();
  const batch = batchOf(shape);
  const optimizer = sgd(1e-5);
  let params = net.init(key(3));
  let state = optimizer.init(params);
  let count = 0;
  const loss = (p: Tree, { x, y }: typeof batch): tf.Tensor1D => softmaxCrossEntropy(net.apply(p, x), y);
  return async () => {
    for (let i = 0; i < STEPS; i++) {
      const { loss: value, grads } = estimator(loss, params, batch, foldIn(key(4), count));
      [params, state] = takeStep(optimizer, grads, state, params, { step: count++ });
      treeDispose(grads);
      if (i === STEPS - 1) await value.data();
      value.dispose();
    }
  };
}

/** Samples a second of our steps, and of PyTorch's on the same card. */
async function trainingFigures(torch: Torch | undefined): Promise<Record<string, number>> {
  const figures: Record<string, number> = {};
  const rows: Record<string, string | number>[] = [];
  for (const [name, { model, shape }] of Object.entries(nets)) {
    const { x, y } = batchOf(shape);
    const step = trainingStep({ model: model(), optimizer: adam(1e-3), loss: softmaxCrossEntropy, x, y });
    const ours: Side = async () => {
      for (let i = 0; i < STEPS; i++) step();
      await step.loss();
    };
    const { ours: time } = await interleave({ ours }, { rounds: 5, sampleTime: quick ? 1 : 500, warmUp: 2 });
    const ms = time.best / STEPS;
    figures[`${name}_samples_per_s`] = (1000 * x.shape[0]!) / ms;
    const row: Record<string, string | number> = { step: name, 'ours, ms': ms };
    if (torch !== undefined && !quick) {
      await torch.time(`${name}-adam`, 50);
      const peers: number[] = [];
      for (let round = 0; round < 5; round++) peers.push(await torch.time(`${name}-adam`, 200));
      row['PyTorch, ms'] = Math.min(...peers);
      figures[`${name}_vs_torch`] = Math.min(...peers) / ms;
    }
    rows.push(row);
    step.dispose();
    tf.dispose([x, y]);
  }
  table(rows);
  return figures;
}

/** A forward gradient's step ÷ backprop's, both with SGD. */
async function forwardFigures(): Promise<Record<string, number>> {
  const sides = { forward: estimatorSteps(weightPerturbation()), tape: estimatorSteps(backprop()) };
  const { forward, tape } = await interleave(sides, { rounds: 5, sampleTime: quick ? 1 : 500, warmUp: 2 });
  const ratio = forward.best / tape.best;
  console.log(`\nA step by a forward gradient takes ${ratio.toFixed(2)} of backprop's.`);
  return { forward_step: ratio };
}

/** A million normal numbers on the device, against tfjs, which makes them on the host. */
async function samplingFigures(): Promise<Record<string, number>> {
  const count = quick ? 20_000 : 1_000_000;
  let seed = 0;
  const drawn = async (draw: (seed: number) => tf.Tensor): Promise<void> => {
    const last = tf.tidy(() => {
      const x = draw(seed++);
      return tf.slice(x, 0, 1);
    });
    await last.data();
    last.dispose();
  };
  const { ours, tfjs } = await interleave({
    ours: () => drawn((s) => randomNormal(key(s), [count])),
    tfjs: () => drawn((s) => tf.randomNormal([count], 0, 1, 'float32', s + 1)),
  });
  console.log(`${count} normals: ${ours.best.toFixed(2)} ms, tfjs ${tfjs.best.toFixed(2)} ms.`);
  return { sampling_vs_tfjs: tfjs.best / ours.best };
}

/** The share of test images that LeNet-5 knows after one epoch: a device that calculates wrongly shows here. */
async function learningFigures({ train: digits, test }: Mnist): Promise<Record<string, number>> {
  const options = { batchSize: 32, normalization: normalizations.mnist };
  const cut = (examples: LabelledImages, size: number): Dataset<Labelled> =>
    toDataset(quick ? subset(examples, size, { key: key(5) }) : examples, options);
  const task = { model: lenet5() as unknown as Module, objective: classification() };
  const data = cut(digits, 320);
  const start = performance.now();
  const run = train({ ...task, data, optimizer: adam(2e-3), key: key(6), epochs: 1 } as never);
  const { params, optimizer, state } = await run.result;
  const seconds = (performance.now() - start) / 1000;
  const { accuracy } = await evaluate({ ...task, params, data: cut(test, 96) } as never);
  treeDispose([params, optimizer, Object.values(state)] as Tree);
  console.log(`LeNet-5 after ${data.size} digits in ${seconds.toFixed(1)} s: ${(100 * accuracy!).toFixed(1)} % right.`);
  return { lenet_accuracy: accuracy! };
}

/** Measures the current backend. */
export async function gpuFigures(mnist: Mnist, torch?: Torch): Promise<Record<string, number>> {
  return {
    ...(await trainingFigures(torch)),
    ...(await forwardFigures()),
    ...(await samplingFigures()),
    ...(await learningFigures(mnist)),
  };
}
