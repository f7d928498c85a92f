// Candidates for the exponent by which rates shrink with the length of a run.
import { adamw, classification, lossFunction, type Rate } from '@frugal/core-trainer';
import type { Mnist } from '@frugal/datasets';
import { learn, lesson, recipeOf } from '@frugal/example-mnist';
import { miniatureRuns, type Problem, probe, quickMiniatures } from '@frugal/lr-probe';
import { foldIn, type GradientTransformation, key, type Labelled, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { optimizers, type Pick } from './policies.ts';
import type { OptimizerName } from './tasks.ts';

/** What is tried. */
export const exponents: readonly number[] = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 1];

/** The miniatures of the quick setting, with the pick as it is. */
const plain = miniatureRuns({ ...quickMiniatures, shrink: 0 });

/** 6 n / T of the quick setting. */
const lengthRatio = (steps: number): number =>
  Math.min(1, (6 * Math.min(50, Math.max(12, Math.round(steps / 24)))) / steps);

/** The same miniatures, shrunk by every exponent; and the thorough setting, which has nothing to shrink. */
export async function askExponents<B extends Tree = Labelled>(
  problem: Problem<Tree, B>,
  name: OptimizerName,
  steps: number,
): Promise<{ picks: Pick[]; stepFlops: number }> {
  const optimizer = optimizers[name];
  const { rate, cost, grid } = await probe(problem, { optimizer, steps, policy: plain });
  const picks = exponents.map((exponent) => ({
    policy: String(exponent),
    rate: rate * lengthRatio(steps) ** exponent,
    flops: cost.flops,
    ms: cost.ms,
  }));
  if (steps <= 300) {
    const thorough = await probe(problem, { optimizer, steps, setting: 'thorough' });
    picks.push({ policy: 'thorough', rate: thorough.rate, flops: thorough.cost.flops, ms: thorough.cost.ms });
  }
  return { picks, stepFlops: grid!.flops / (grid!.runs * steps) };
}

/** The share of validation images that the demo's net reads after a training at the rate of each exponent. */
export async function validationOfDemo(
  mnist: Mnist,
  seed: number,
  candidates: readonly number[],
): Promise<{ exponent: number; accuracy: number }[]> {
  const recipe = recipeOf('mlp', false);
  const data = lesson(mnist, recipe, seed);
  const steps = recipe.epochs * data.train.batchesPerEpoch;
  const params = recipe.model.init(foldIn(key(seed), 20));
  const { smoothing, weightDecay } = recipe;
  const loss = lossFunction(recipe.model, classification({ smoothing }).loss);
  const optimizer = (rate: Rate): GradientTransformation => adamw(rate, { weightDecay });
  const problem = { loss, params, data: data.train, key: foldIn(key(seed), 4) };
  const { rate, warmup } = await probe(problem as never, { optimizer, steps, policy: plain });
  tf.dispose(params as tf.TensorContainer);
  const found = [];
  for (const exponent of candidates) {
    const peak = rate * lengthRatio(steps) ** exponent;
    const run = learn({ ...recipe, peak, warmup }, data, { seed });
    let accuracy = 0;
    for await (const event of run.events) if (event.type === 'evaluation') accuracy = event.metrics.accuracy ?? 0;
    const { params: end, optimizer: slots, state } = await run.result;
    tf.dispose([end, slots, state] as tf.TensorContainer);
    console.log(
      `demo's net, seed ${seed}, exponent ${exponent}, rate ${peak.toPrecision(3)}: ${(100 * accuracy).toFixed(2)} %`,
    );
    found.push({ exponent, accuracy });
  }
  return found;
}
