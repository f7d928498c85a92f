import type { Listener } from '@frugal/core-trainer';
import { drawImage } from '@frugal/datasets';
import { accuracyOf, learn, lesson, recipeOf } from '@frugal/example-mnist';
import { atLeast, atMost, count, percent } from '@frugal/example-support';
import { createMeter, type Meter, treeSize } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { beside, type Progress, screen } from '../screen.ts';
import type { Story } from '../story.ts';

/** Seconds that training the MLP may take on two processors. */
const limit = 60;

/** Draws the screen as the events come: ten times a second where somebody watches, else once an epoch. */
function watch(story: Story, meter: Meter, epochs: number): Listener {
  const { io } = story;
  return async (events) => {
    let drawn = Number.NEGATIVE_INFINITY;
    let now: Progress = {
      step: 0,
      steps: 1,
      epoch: 0,
      epochs,
      seconds: 0,
      losses: [],
      accuracy: undefined,
      cost: meter.read(),
    };
    const losses: number[] = [];
    for await (const event of events) {
      now = { ...now, seconds: event.time / 1000, losses };
      if (event.type === 'start') now = { ...now, steps: event.totalSteps ?? 1 };
      if (event.type === 'step') {
        now = { ...now, step: event.step, epoch: event.epoch };
        if (event.loss !== undefined) losses.push(event.loss);
      }
      if (event.type === 'evaluation') now = { ...now, accuracy: event.metrics.accuracy };
      const due = event.type === 'evaluation' || event.type === 'end' || (io.live && event.time - drawn > 100);
      if (!due || (event.type === 'end' && !io.live)) continue;
      drawn = event.time;
      io.frame(screen({ ...now, cost: meter.read() }, io));
    }
  };
}

/** Chapter two: a network learns to read digits, at the rate that the probe found. */
export async function trainChapter(story: Story): Promise<void> {
  const { io, mnist, options, targets, costs } = story;
  const { advice } = story;
  const plain = recipeOf(options.model, options.quick);
  const recipe = advice === undefined ? plain : { ...plain, peak: advice.rate, warmup: advice.warmup };
  const data = lesson(mnist, recipe, options.seed);
  io.print(
    `\nA network learns to read handwritten digits: ${recipe.name}, ${count(recipe.images)} images, ${recipe.epochs} times.`,
  );
  io.print(`\n${beside([0, 1, 2, 3].map((i) => drawImage(mnist.train, i, { shrink: 2 })))}`);

  const meter = createMeter(io.energy);
  const start = performance.now();
  const run = learn(recipe, data, { seed: options.seed, meter, listeners: [watch(story, meter, recipe.epochs)] });
  const { params, optimizer, state } = await run.result;
  const seconds = (performance.now() - start) / 1000;
  costs.set('training', meter.read());

  const accuracy = await accuracyOf(recipe.model, params, data.test);
  const wrong = Math.round((1 - accuracy) * data.test.size);
  io.print(
    `\nIt reads ${percent(accuracy)} of the ${count(data.test.size)} test images, which it sees now for the first time ` +
      `(${count(wrong)} wrong), with ${count(treeSize(params))} parameters.`,
  );
  tf.dispose([optimizer, state] as tf.TensorContainer);
  story.trained = { model: recipe.model, params };
  targets.push(atLeast('test accuracy', accuracy, recipe.target, percent));
  if (options.model === 'mlp') targets.push(atMost('training', seconds, limit, (value) => `${value.toFixed(1)} s`));
}
