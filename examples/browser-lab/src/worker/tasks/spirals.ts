import { lossFunction, softmaxCrossEntropy } from '@frugal/core-trainer';
import { spirals, toDataset } from '@frugal/datasets';
import { mlp } from '@frugal/nn';
import { foldIn, key, type LossFunction, type Module, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { localOf } from '../gradients.ts';
import type { MakeTask } from '../task.ts';

const ARMS = 3;
const SIDE = 48;

/** The plane that is drawn, [-1.15, 1.15]². */
const REACH = 1.15;

/** Which arm of three spirals is a point on? */
export const spiralsTask: MakeTask = async (config) => {
  const { width, batch, seed } = config;
  const make = (salt: number, size: number) =>
    spirals({ size, classes: ARMS, turns: 0.9, noise: 0.03, key: foldIn(key(seed), salt) });
  const [learn, test] = [make(0, 900), make(1, 600)];
  const net = mlp([2, width, width, ARMS]) as Staged as Staged<Tree>;
  const local = await localOf(config, net, [2]);
  const model = local?.model ?? (net as Module<Tree>);
  const grid = Float32Array.from({ length: 2 * SIDE * SIDE }, (_, i) => {
    const cell = i >> 1;
    const at = i % 2 === 0 ? cell % SIDE : SIDE - 1 - Math.floor(cell / SIDE);
    return ((at + 0.5) / SIDE) * 2 * REACH - REACH;
  });
  const shown = { points: learn.x.slice(0, 600), labels: learn.y.slice(0, 300) };
  return {
    model,
    loss: lossFunction(model as Module, softmaxCrossEntropy) as unknown as LossFunction<Tree, Tree>,
    ...local,
    data: toDataset(learn, { batchSize: batch }) as never,
    metric: 'right on 600 new points',
    every: 25,
    layers: ['hidden 1', 'hidden 2'],
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
      return { kind: 'plane', side: SIDE, classes: ARMS, scores, ...shown };
    },
    pass: (params) => tf.dispose(model.apply(params, tf.tensor2d(test.x, [test.size, 2]))),
  };
};
