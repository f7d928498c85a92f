import { softmaxCrossEntropy } from '@frugal/core-trainer';
import { takeRows } from '@frugal/datasets';
import { vit } from '@frugal/nn';
import type { LossFunction, Module, Staged, Tree } from '@frugal/tensor';
import { boostedBlock, boostLoss, computeShares, runModel } from '@frugal/token-boost';
import * as tf from '@tensorflow/tfjs-core';
import type { MakeTask } from '../task.ts';
import { accuracyOf, digitBatches, fetchDigits, scale } from './digits.ts';

const ACROSS = 4;
const LEARNERS = 4;
/** Images that the running network is asked about, and those that are shown. */
const [ASKED, SHOWN] = [500, 24];
/** Share of the learners that training aims at. */
const TARGET = 0.4;

/** Digits again, by a transformer whose gates choose for each of 16 patches how many learners it gets. */
export const patchesTask: MakeTask = async ({ width, batch }, knobs) => {
  const { learn, test, shown } = await fetchDigits(SHOWN);
  const block = () => boostedBlock(width, { learners: LEARNERS, projections: false, activation: 'relu' });
  const model = vit({ patch: 28 / ACROSS, dim: width, depth: 2, heads: 2, block } as never) as unknown as Staged<Tree>;
  const some = takeRows(
    test,
    Int32Array.from({ length: ASKED }, (_, i) => i),
  );
  const held = digitBatches(some as never, 250, false, false);
  const task = (logits: tf.Tensor, y: tf.Tensor): tf.Tensor1D => softmaxCrossEntropy(logits, y) as tf.Tensor1D;
  const loss = boostLoss(model, task, { target: TARGET });
  let full = 0;

  return {
    model: model as Module<Tree>,
    loss: loss as unknown as LossFunction<Tree, Tree>,
    data: digitBatches(learn, batch, false) as never,
    metric: `right on ${ASKED} test digits`,
    goal: 0.85,
    every: 25,
    layers: ['gate 1', 'learners 1', 'gate 2', 'learners 2'],
    evaluate: (params) =>
      accuracyOf(held, async (x) => (await runModel(model, params, x, { threshold: knobs.sure })).output),
    async view(params) {
      const x = scale(shown.x, false);
      const run = await runModel(model, params, x, { threshold: knobs.sure });
      if (full === 0) {
        const whole = await runModel(model, params, x, { count: LEARNERS });
        full = whole.cost[0]!;
        whole.output.dispose();
      }
      const said = tf.argMax(run.output, 1);
      const answers = [...(await said.data())];
      tf.dispose([x, run.output, said]);
      const shares = [...computeShares(run.plans)];
      const [pixels, labels] = [shown.x, [...shown.y]];
      return { kind: 'patches', pixels, answers, labels, shares, across: ACROSS, cost: run.cost, full };
    },
    pass: (params) => {
      const x = scale(shown.x, false);
      // As in training: with every learner.
      tf.dispose([x, model.apply(params, x, { train: true })]);
    },
  };
};
