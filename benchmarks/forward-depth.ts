// Depth: rank-one forward gradients ÷ tape backprop at 2 … 100 layers of 1024 (time), and peak memory of both.
import { sgd, takeStep } from '@frugal/core-trainer';
import { weightPerturbation } from '@frugal/forward-grad';
import { mlp } from '@frugal/nn';
import {
  foldIn,
  type GradientEstimator,
  type GradientTransformation,
  jvp,
  key,
  type LossFunction,
  meter,
  randomNormal,
  randomSigns,
  rankOne,
  type TangentTree,
  type Tree,
  treeDispose,
  treeLeaves,
  treeUnflatten,
  useBackend,
  valueAndGrad,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';

const WIDTH = quick ? 128 : 1024;
const BATCH = 64;
const DEPTHS = quick ? [2, 5, 10] : [2, 5, 10, 30, 100];

await useBackend(wasm({ threads: 1 }));
const x = randomNormal(key(1), [BATCH, WIDTH]);

const tape = ((f, params, batch, k) => {
  const [value, grads] = valueAndGrad((p: typeof params) => tf.mean(f(p, batch, { train: true, key: k })))(params);
  return { loss: value, grads };
}) as GradientEstimator;

/** What depth `layers` costs. */
async function measure(layers: number): Promise<Record<string, number>> {
  const model = mlp(new Array<number>(layers + 1).fill(WIDTH));
  const loss: LossFunction<Tree, tf.Tensor> = (params, input) =>
    tf.tidy(() => tf.mean(tf.square(model.apply(params as never, input)), 1)) as tf.Tensor1D;
  const optimizer = sgd(1e-9) as GradientTransformation;
  let params = model.init(key(2)) as Tree;
  let state = optimizer.init(params);
  let i = 0;
  const step = (estimator: GradientEstimator) => () => {
    const { loss: value, grads } = estimator(loss, params, x, foldIn(key(3), i));
    [params, state] = takeStep(optimizer, grads, state, params, { step: i++ });
    treeDispose(grads);
    value.dispose();
  };
  const sides = { rankOne: step(weightPerturbation()), tape: step(tape) };
  const times = await interleave(sides, { clock: 'cpu', rounds: quick ? 5 : 9 });

  // Memory of the passes themselves: parameters and their tangents exist before; the gradients are counted apart.
  const leaves = treeLeaves(params) as tf.Tensor[];
  const tangents = treeUnflatten(
    params,
    leaves.map((leaf, j) => {
      const [u, v] = [0, 1].map((side) => foldIn(foldIn(key(4), j), side)) as [never, never];
      if (leaf.rank < 2) return randomSigns(u, leaf.shape);
      return rankOne(randomSigns(u, [leaf.shape[0]!]), randomSigns(v, [leaf.shape[1]!])) as never;
    }),
  ) as TangentTree;
  const mean = (p: Tree): tf.Tensor => tf.tidy(() => tf.mean(loss(p, x, { train: true })));
  const forward = meter(() => tf.dispose(jvp(mean, [params], [tangents]))).peakBytes;
  // Backprop all the way down, for the first bias alone: the tape without the gradients of the weights.
  const firstBias = leaves.findIndex((leaf) => leaf.rank === 1);
  const backward = meter(() => {
    const at = (bias: tf.Tensor): Tree => treeUnflatten(params, leaves.with(firstBias, bias));
    const [value, gradient] = valueAndGrad((bias: tf.Tensor) => mean(at(bias)))(leaves[firstBias]!);
    tf.dispose([value, gradient]);
  }).peakBytes;
  const stepPeaks = Object.values(sides).map((side) => meter(side).peakBytes);
  treeDispose([params, state]);
  treeDispose(tangents as never);
  return {
    layers,
    'rank-one ms': times.rankOne.best,
    'tape ms': times.tape.best,
    ratio: times.rankOne.best / times.tape.best,
    'jvp peak, activations': forward / (4 * BATCH * WIDTH),
    'tape peak, activations': backward / (4 * BATCH * WIDTH),
    'whole step, rank-one': stepPeaks[0]! / (4 * BATCH * WIDTH),
    'whole step, tape': stepPeaks[1]! / (4 * BATCH * WIDTH),
  };
}

const rows: Record<string, number>[] = [];
for (const depth of DEPTHS) rows.push(await measure(depth));
table(rows);
const at = (layers: number): Record<string, number> => rows.find((row) => row['layers'] === layers)!;
const deep = rows.at(-1)!;
finish('forward-depth', {
  worst_ratio: Math.max(...rows.map((row) => row['ratio']!)),
  peak_growth: deep['jvp peak, activations']! / at(5)['jvp peak, activations']!,
  peak_vs_backprop: deep['jvp peak, activations']! / deep['tape peak, activations']!,
  step_peak_vs_backprop: deep['whole step, rank-one']! / deep['whole step, tape']!,
});
