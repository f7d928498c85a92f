// What probing costs on the demo's net (784-512-10, batch 128, Adam, wasm, one thread): η_c in training steps by the clock, and η_c and the
// quick recommendation as shares of the FLOPs that the demo's training spends up to 98 % of validation images.
import { adam, backprop, takeStep } from '@frugal/core-trainer';
import { readMnist } from '@frugal/datasets/node';
import { accuracyOf, lesson, recipeOf } from '@frugal/example-mnist';
import { criticalRate, type OptimizerPosition, type Problem, probe, warmCosine } from '@frugal/lr-probe';
import {
  createMeter,
  foldIn,
  key,
  type Labelled,
  type LossFunction,
  softmaxCrossEntropy,
  type Tree,
  treeClone,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { policy } from '../examples/demo/policy.ts';
import { finish, interleave, quick, table } from './harness.ts';

const { reason } = await useBackend(wasm({ threads: 1 }));
console.log(reason);
const recipe = recipeOf('mlp', false);
const data = lesson(await readMnist(), recipe, 1);
const { model } = recipe;
const loss: LossFunction<Tree, Labelled> = (params, { x, y }) =>
  softmaxCrossEntropy({ logits: model.apply(params, x), labels: y });
const start = model.init(key(3));
const batches: Labelled[] = [];
for await (const batch of data.train.batches({ key: key(4), epoch: 0 })) {
  batches.push(batch);
  if (batches.length === 64) break;
}
const problem: Problem<Tree, Labelled> = { loss, params: start, data: batches, key: key(5) };
const options = { optimizer: adam };

/** Training with the demo's optimizer on a batch that lies ready. */
function trainer(rate: number | ((step: number) => number)): {
  step(batch: Labelled): void;
  params(): Tree;
  slots(): Tree;
} {
  const optimizer = adam(rate);
  const gradient = backprop();
  let params: Tree = model.init(key(3));
  let slots: Tree = optimizer.init(params);
  let count = 0;
  return {
    params: () => params,
    slots: () => slots,
    step(batch) {
      const { loss: value, grads } = gradient(loss, params, batch, foldIn(key(6), count), { train: true });
      [params, slots] = takeStep(optimizer as never, grads, slots, params, { step: count++, loss: value });
      treeDispose(grads);
      value.dispose();
    },
  };
}

const { cost: coldCost } = await criticalRate(problem, options);

/** Places along a run, each with the η_c of the step before: what a probe that follows training starts from. */
async function placesAlong(): Promise<
  { problem: Problem<Tree, Labelled>; position: OptimizerPosition; guess: number }[]
> {
  const run = trainer(3e-3);
  const places = [];
  let guess: number | undefined;
  for (const [i, batch] of batches.entries()) {
    if (i >= 20 && i < 28) {
      const place = {
        problem: { ...problem, params: treeClone(run.params()), data: [batch] },
        position: { state: treeClone(run.slots()), step: i },
      };
      if (guess !== undefined) places.push({ ...place, guess });
      guess = (
        await criticalRate(place.problem, {
          ...options,
          ...(guess === undefined ? {} : { guess }),
          position: place.position,
        })
      ).rate;
    }
    run.step(batch);
  }
  return places;
}
const places = await placesAlong();
let [passes, turn] = [0, 0];
async function warmProbe(): Promise<void> {
  const { problem: here, ...rest } = places[turn++ % places.length]!;
  passes += (await criticalRate(here, { ...options, ...rest })).cost.forwards;
}
const bare = trainer(1e-6);
const times = await interleave(
  {
    step: () => bare.step(batches[0]!),
    warm: warmProbe,
    cold: () => criticalRate(problem, options),
    large: () => criticalRate(problem, { ...options, examples: 1024 }),
  },
  { rounds: quick ? 5 : 15, sampleTime: quick ? 20 : 60 },
);
const steps = (name: 'warm' | 'cold' | 'large'): number => times[name].median / times.step.median;

const total = recipe.epochs * data.train.batchesPerEpoch;
const advice = await probe(problem, { ...options, steps: total, policy });
const meter = createMeter();
meter.run(() => bare.step(batches[0]!));
const stepFlops = meter.read().flops;

/** Steps of the demo until 98 % of its validation images are right; looked at every 50 steps. */
async function stepsTo(share: number): Promise<number> {
  const run = trainer(warmCosine(0.1)(advice.rate, total));
  let made = 0;
  for (let epoch = 0; ; epoch++) {
    for await (const batch of data.train.batches({ key: key(7), epoch })) {
      run.step(batch);
      treeDispose(batch);
      if (++made % 50 === 0 && (await accuracyOf(model, run.params(), data.validation)) >= share) return made;
      if (made === total) throw new Error(`${share} was not reached in ${total} steps.`);
    }
  }
}
const made = await stepsTo(quick ? 0.9 : 0.98);

table([
  { what: 'a training step', ms: times.step.median },
  { what: 'η_c from the last one', ms: times.warm.median, steps: steps('warm'), 'forward passes': passes / turn },
  { what: 'η_c from nothing', ms: times.cold.median, steps: steps('cold'), 'forward passes': coldCost.forwards },
  { what: 'η_c on 1,024 examples', ms: times.large.median, steps: steps('large') },
  { what: 'quick recommendation', ms: advice.cost.ms, steps: advice.cost.flops / stepFlops },
]);
console.log(
  `\n${quick ? '90' : '98'} % after ${made} of ${total} steps at the recommended rate ${advice.rate.toPrecision(2)}.`,
);
finish('probe-cost', {
  critical_warm_steps: steps('warm'),
  critical_cold_steps: steps('cold'),
  critical_1024_steps: steps('large'),
  probe_share_of_demo: coldCost.flops / (made * stepFlops),
  advice_share_of_demo: advice.cost.flops / (made * stepFlops),
  advised_rate: advice.rate,
  steps_to_98: made,
});
