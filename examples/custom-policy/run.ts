import { adam, cosine, softmaxCrossEntropy, train } from '@frugal/core-trainer';
import {
  calibrateBudget,
  type ExitModel,
  type ExitParams,
  type ExitPolicy,
  exitLoss,
  lowEntropy,
  margin,
  maxProbability,
  plainHead,
  recordExits,
  runExits,
  scoreTable,
  withExits,
} from '@frugal/early-exit';
import { policyContract } from '@frugal/early-exit/testing';
import { type Lesson, lesson, type Recipe } from '@frugal/example-mnist';
import { atLeast, atMost, count, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { dense, mlp } from '@frugal/nn';
import { foldIn, type Key, key, type Labelled, type Module, type Tree, treeDispose } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { wary } from './policy.ts';

const lengths = { full: { steps: 2000, target: 0.97 }, quick: { steps: 200, target: 0.9 } };
/** Share of the FLOPs of the whole network that an answer may cost. */
const budget = 0.4;

/** What the data should look like; how to train is said below. */
const recipe: Recipe = {
  ...{ name: 'exits', model: mlp([784, 10]) as Module, epochs: 1, batchSize: 64, images: 55_000, target: 0 },
  ...{ peak: 0, warmup: 0, weightDecay: 0, smoothing: 0 },
};

const policies: Readonly<Record<string, (thresholds: readonly number[]) => ExitPolicy>> = {
  'max probability': maxProbability,
  'low entropy': lowEntropy,
  margin,
  'wary (ours)': wary,
};

/** 784 → 256 → 256 → 256 → 10 with an exit on the pixels and one after each of the first two layers. */
function network(): ExitModel {
  return withExits(mlp([784, 256, 256, 256, 10]), [
    { at: 0, head: plainHead(mlp([784, 16, 10])) },
    { at: 1, head: plainHead(dense(256, 10)) },
    { at: 2, head: plainHead(dense(256, 10)) },
  ]) as ExitModel;
}

type Params = ExitParams<never> & Tree;

/** All exits together, from the start. */
async function teach(model: ExitModel, { train: data }: Lesson, steps: number, at: Key): Promise<Params> {
  const { params, optimizer, state } = await train<Params, Labelled>({
    model: { init: (seed) => model.init(seed) as Params },
    loss: exitLoss(model, softmaxCrossEntropy),
    optimizer: adam(cosine(2e-3, { warmup: Math.round(steps / 10), steps })),
    ...{ data, steps, key: at },
  }).result;
  treeDispose([optimizer, state] as Tree);
  return params;
}

/** What a policy does on the test images, by really running them. */
async function examine(model: ExitModel, params: Params, policy: ExitPolicy, { test }: Lesson) {
  const left = new Array<number>(model.exitCount).fill(0);
  let [right, flops] = [0, 0];
  for await (const { x, y } of test.batches({ key: key(0), epoch: 0 })) {
    const { output, exits, cost } = await runExits(model, params, x, { policy });
    const answers = tf.argMax(output, 1);
    const [said, labels] = [await answers.data(), await y.data()];
    right += said.filter((digit, i) => digit === labels[i]).length;
    for (const exit of exits) left[exit]!++;
    flops += cost.reduce((sum, one) => sum + one, 0);
    tf.dispose([x, y, output, answers]);
  }
  const { size } = test;
  return { accuracy: right / size, flops: flops / size, left: left.map((n) => n / size) };
}

/** A policy that a user wrote, through the contract kit, then against three of ours at the same budget. */
export async function runCustomPolicy(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const { steps, target } = options.quick ? lengths.quick : lengths.full;
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}\n`);
  const rules = policyContract(wary);
  for (const { run } of rules) run();
  io.print(`The contract kit is content: it ${rules.map(({ name }) => name).join(', ')}.\n`);

  const data = lesson(await io.mnist(), recipe, options.seed);
  const model = network();
  const params = await teach(model, data, steps, foldIn(key(options.seed), 7));
  const table = await recordExits(model, params, data.validation);
  const asked = budget * table.costs.full;
  io.print(`${steps} steps of 64 images; thresholds for ${percent(budget)} of ${count(table.costs.full)} FLOPs:\n`);
  io.print(`${'policy'.padEnd(16)}    test  FLOPs/image  leaving at exit 0, 1, 2, the end`);
  const results: Record<string, Awaited<ReturnType<typeof examine>>> = {};
  for (const [label, make] of Object.entries(policies)) {
    const start = make([0, 0, 0]);
    const { thresholds } = calibrateBudget(scoreTable(table, start), asked);
    const seen = await examine(model, params, start.withThresholds(thresholds), data);
    results[label] = seen;
    io.print(
      `${label.padEnd(16)} ${percent(seen.accuracy).padStart(7)}  ${count(Math.round(seen.flops)).padStart(11)}  ` +
        seen.left.map(percent).join(', '),
    );
  }
  treeDispose(params);
  const ours = results['wary (ours)']!;
  return [
    { what: 'contract', reached: true, verdict: `${rules.length} rules kept` },
    atLeast('test accuracy', ours.accuracy, target, percent),
    atMost('distance from the budget', Math.abs(ours.flops / asked - 1), 0.1, percent),
  ];
}
