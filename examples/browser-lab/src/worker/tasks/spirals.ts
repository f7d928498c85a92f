import { lossFunction, softmaxCrossEntropy } from '@frugal/core-trainer';
import { spirals, toDataset } from '@frugal/datasets';
import { mlp } from '@frugal/nn';
import { foldIn, key, type LossFunction, type Module, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { localOf } from '../gradients.ts';
import type { MakeTask } from '../task.ts';

const ARMS = 3;
/** Places across the plane, and across a neuron's map of it. */
const [SIDE, SMALL] = [48, 24];
/** Neurons of a layer that are shown. */
const SHOWN = 32;

/** The plane that is drawn, [-1.15, 1.15]². */
const REACH = 1.15;

/** The middles of side² cells of the plane, row by row from the top. */
const cells = (side: number): Float32Array =>
  Float32Array.from({ length: 2 * side * side }, (_, i) => {
    const cell = i >> 1;
    const at = i % 2 === 0 ? cell % side : side - 1 - Math.floor(cell / side);
    return ((at + 0.5) / side) * 2 * REACH - REACH;
  });

/** Each neuron's outputs as bytes, as shares of its largest; [cells, units] becomes [units, cells]. */
async function mapsOf(outputs: tf.Tensor2D): Promise<Uint8Array> {
  const scaled = tf.tidy(() => {
    const some = tf.transpose(tf.slice(outputs, [0, 0], [-1, Math.min(SHOWN, outputs.shape[1])]));
    return tf.mul(255, tf.div(some, tf.maximum(tf.max(some, 1, true), 1e-9)));
  });
  const maps = Uint8Array.from(await scaled.data());
  scaled.dispose();
  return maps;
}

/** Which arm of three spirals is a point on? */
export const spiralsTask: MakeTask = async (config) => {
  const { width, batch, seed } = config;
  const make = (salt: number, size: number) =>
    spirals({ size, classes: ARMS, turns: 0.9, noise: 0.03, key: foldIn(key(seed), salt) });
  const [learn, test] = [make(0, 900), make(1, 600)];
  const net = mlp([2, width, width, ARMS]) as Staged as Staged<Tree>;
  const local = await localOf(config, net, [2]);
  const model = local?.model ?? (net as Module<Tree>);
  const [grid, coarse] = [cells(SIDE), cells(SMALL)];
  const names = ['hidden 1', 'hidden 2'];
  /** What the hidden layers say at the places of the coarse grid. */
  const hidden = (params: Tree): tf.Tensor2D[] =>
    tf.tidy(() => {
      const own = local === undefined ? params : (params as { model: Tree }).model;
      const first = net.stages[0]!.apply(own, tf.tensor2d(coarse, [SMALL * SMALL, 2]));
      return [first, net.stages[1]!.apply(own, first)] as tf.Tensor2D[];
    });
  const shown = { points: learn.x.slice(0, 600), labels: learn.y.slice(0, 300) };
  return {
    model,
    loss: lossFunction(model as Module, softmaxCrossEntropy) as unknown as LossFunction<Tree, Tree>,
    ...local,
    data: toDataset(learn, { batchSize: batch }) as never,
    metric: 'right on 600 new points',
    goal: 0.95,
    every: 25,
    layers: names,
    async evaluate(params) {
      const said = tf.tidy(() => tf.argMax(model.apply(params, tf.tensor2d(test.x, [test.size, 2])), 1));
      const answers = [...(await said.data())];
      said.dispose();
      return answers.reduce((right, answer, i) => right + Number(answer === test.y[i]), 0) / test.size;
    },
    async view(params) {
      const chances = tf.tidy(() => tf.softmax(model.apply(params, tf.tensor2d(grid, [SIDE * SIDE, 2]))));
      const scores = Uint8Array.from(await chances.data(), (chance) => Math.round(255 * chance));
      chances.dispose();
      const outputs = hidden(params);
      const maps = await Promise.all(outputs.map(mapsOf));
      tf.dispose(outputs);
      const layers = maps.map((map, i) => ({ name: names[i]!, maps: map }));
      return { kind: 'plane', side: SIDE, classes: ARMS, scores, ...shown, layers, small: SMALL };
    },
    pass: (params) => tf.dispose(model.apply(params, tf.tensor2d(test.x, [test.size, 2]))),
  };
};
