import { softmaxCrossEntropy } from '@frugal/core-trainer';
import {
  type ExitModel,
  exitCosts,
  exitLoss,
  fixedDepth,
  maxProbability,
  plainHead,
  runExits,
  withExits,
} from '@frugal/early-exit';
import { dense, mlp } from '@frugal/nn';
import type { LossFunction, Module, Staged, Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Drawn } from '../../protocol.ts';
import { localOf } from '../gradients.ts';
import type { MakeTask } from '../task.ts';
import { accuracyOf, digitBatches, fetchDigits, PIXELS, scale } from './digits.ts';

/** Handwritten digits, by a network that easy ones leave early: after the pixels, or after the first layer. */
export const mnistTask: MakeTask = async (config, knobs) => {
  const { width, batch } = config;
  const { learn, test, shown } = await fetchDigits(60);
  const backbone = mlp([PIXELS, width, width, 10]) as Staged as Staged<Tree>;
  const local = await localOf(config, backbone, [PIXELS]);
  const exit = (at: number, inputs: number) => ({ at, head: plainHead(dense(inputs, 10) as Module as Module<Tree>) });
  // Local learning has a head on the first layer anyway: that is an exit.
  const exits = local === undefined ? [exit(0, PIXELS), exit(1, width)] : [exit(1, width)];
  const names = [...(local === undefined ? ['after the pixels'] : []), 'after one layer', 'at the end'];
  const model = withExits(backbone, exits) as ExitModel;
  const loss = exitLoss(model, softmaxCrossEntropy, { weights: [0.3, 0.3, 1].slice(-names.length) });
  const read = (params: Tree): never =>
    (local === undefined
      ? params
      : { backbone: (params as { model: Tree }).model, heads: (params as { heads: Tree }).heads }) as never;
  const end = (params: Tree, x: tf.Tensor): tf.Tensor =>
    backbone.apply((read(params) as { backbone: Tree }).backbone, x);
  const policy = () => maxProbability(exits.map(() => knobs.sure));
  const held = digitBatches(test, 500, true, false);

  return {
    model: model as unknown as Module<Tree>,
    loss: loss as unknown as LossFunction<Tree, Tree>,
    ...local,
    data: digitBatches(learn, batch, true) as never,
    metric: `right on ${test.size.toLocaleString('en')} test digits`,
    goal: 0.95,
    every: 100,
    layers: ['hidden 1', 'hidden 2'],
    evaluate: (params) => accuracyOf(held, (x) => end(params, x)),
    async view(params) {
      const x = scale(shown.x, true);
      const costs = exitCosts(model, read(params), x);
      const run = await runExits(model, read(params), x, { policy: policy(), costs });
      const said = tf.argMax(run.output, 1);
      const answers = [...(await said.data())];
      tf.dispose([x, run.output, said]);
      const [pixels, labels] = [shown.x, [...shown.y]];
      return {
        kind: 'digits',
        pixels,
        answers,
        labels,
        exits: [...run.exits],
        names,
        cost: run.cost,
        full: costs.full,
      };
    },
    pass: (params) => {
      const x = scale(shown.x, true);
      tf.dispose([x, end(params, x)]);
    },
    async digit(params, pixels) {
      const x = scale(pixels, true);
      const costs = exitCosts(model, read(params), x);
      const said: Drawn['exits'] = [];
      for (const [at, name] of names.entries()) {
        const run = await runExits(model, read(params), x, { policy: fixedDepth(at, exits.length), costs });
        const chances = tf.softmax(run.output);
        const values = await chances.data();
        const digit = values.indexOf(Math.max(...values));
        said.push({ name, digit, sure: values[digit]!, flops: run.cost[0]! });
        tf.dispose([run.output, chances]);
      }
      x.dispose();
      const leaves = said.findIndex((exit) => exit.sure >= knobs.sure);
      return { exits: said, leaves: leaves === -1 ? exits.length : leaves };
    },
  };
};
