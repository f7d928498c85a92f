import { adamw, classification, lossFunction } from '@frugal/core-trainer';
import { lesson, recipeOf } from '@frugal/example-mnist';
import { atLeast } from '@frugal/example-support';
import { probe, terminalChart } from '@frugal/lr-probe';
import { createMeter, foldIn, key, split } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { policy } from '../policy.ts';
import type { Story } from '../story.ts';

/** Chapter one: how fast may it learn? The first steps tell. */
export async function probeChapter(story: Story): Promise<void> {
  const { io, mnist, options, targets, costs, savings } = story;
  const recipe = recipeOf(options.model, options.quick);
  const { model, weightDecay, smoothing } = recipe;
  const { train: data } = lesson(mnist, recipe, options.seed);
  const steps = recipe.epochs * data.batchesPerEpoch;
  io.print('\nHow fast may it learn? Instead of training at thirteen rates, a few short copies of the run are tried:');

  // The very parameters that training will begin with.
  const params = model.init(split(foldIn(key(options.seed), 2), 4)[0]!);
  const meter = createMeter(io.energy);
  const advice = await meter.run(() =>
    probe(
      {
        loss: lossFunction(model, classification({ smoothing }).loss),
        params,
        data,
        key: foldIn(key(options.seed), 4),
      },
      { optimizer: (rate) => adamw(rate, { weightDecay }), steps, policy },
    ),
  );
  costs.set('the probe', meter.read());
  tf.dispose(params as tf.TensorContainer);

  const runs = advice.evidence.miniatures!.filter(({ diverged }) => !diverged);
  const points = runs.map(({ rate, loss }) => ({ x: rate, y: loss }));
  io.print(terminalChart(points, { log: true, height: 7, width: 48, marks: { 'the rate': advice.rate } }));
  io.print(
    `${advice.reasons[0]} For ${steps} steps that makes a rate of ${advice.rate.toPrecision(2)}, with warm-up and decay.`,
  );
  const cheaper = advice.grid!.flops / advice.cost.flops;
  savings.set('the probe', `${advice.grid!.runs} trainings at other rates: ${cheaper.toFixed(0)} times what it cost`);
  targets.push(
    atLeast('cheaper than a grid of rates', cheaper, options.quick ? 15 : 50, (value) => `${value.toFixed(0)} times`),
  );
  story.advice = advice;
}
