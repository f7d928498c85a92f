// What the meter costs: a training step of two MLPs on wasm, metered ÷ bare.
import { adam, backprop, softmaxCrossEntropy } from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import {
  createMeter,
  foldIn,
  formatCost,
  key,
  type LossFunction,
  randomIntegers,
  randomUniform,
  type Tree,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';

const BATCH = 64;
const MODELS = [
  [784, 1024, 1024, 10],
  [784, 32, 10],
];

type Batch = { x: tf.Tensor; labels: tf.Tensor };

/** A whole step, as a loop does it: loss, gradient, optimizer, in place. */
function trainingStep(sizes: readonly number[]): () => void {
  const model = mlp(sizes);
  const optimizer = adam(1e-3);
  const gradient = backprop();
  const batch: Batch = {
    x: randomUniform(key(1), [BATCH, sizes[0]!]),
    labels: randomIntegers(key(2), [BATCH], { max: sizes.at(-1)! }),
  };
  const loss: LossFunction<Tree, Batch> = (params, { x, labels }, ctx) =>
    softmaxCrossEntropy(model.apply(params as never, x, ctx), labels);
  let params = model.init(key(3)) as Tree;
  let state = optimizer.init(params);
  let step = 0;
  return () => {
    const { loss: value, grads } = gradient(loss, params, batch, foldIn(key(4), step));
    [params, state] = optimizer.step!(grads, state, params, { step: step++ });
    treeDispose(grads as Tree);
    value.dispose();
  };
}

const { reason } = await useBackend(wasm());
console.log(`${reason} Batch ${BATCH}, Adam.\n`);

const rows = [];
const overheads: number[] = [];
for (const sizes of MODELS) {
  const step = trainingStep(sizes);
  const meter = createMeter();
  const metered = (): void => meter.run(step);
  // Many short samples, and the best of each side: what other programs take is then left out on both.
  const times = await interleave(
    { bare: step, metered },
    { rounds: quick ? 101 : 601, sampleTime: 2, warmUp: sizes.length === 3 ? 1000 : 20 },
  );
  const overhead = times.metered.best / times.bare.best - 1;
  overheads.push(overhead);
  const one = createMeter();
  one.run(step);
  const cost = one.read();
  const kernels = cost.kernels.reduce((sum, { calls }) => sum + calls, 0);
  rows.push({
    model: sizes.join('-'),
    kernels,
    'bare µs (best)': times.bare.best * 1000,
    'metered µs (best)': times.metered.best * 1000,
    overhead,
    'of the medians': times.metered.median / times.bare.median - 1,
    'µs per kernel': ((times.metered.best - times.bare.best) * 1000) / kernels,
  });
  if (sizes.length === 3) console.log(`${formatCost(cost)}\n`);
}
table(rows);
finish('meter', { overhead: Math.max(...overheads) });
tf.disposeVariables();
