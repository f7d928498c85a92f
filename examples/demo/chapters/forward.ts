import { adam, cosine, train } from '@frugal/core-trainer';
import { accuracyOf, lesson, recipeOf } from '@frugal/example-mnist';
import { atLeast, percent } from '@frugal/example-support';
import { localLearning } from '@frugal/forward-grad';
import { mlp } from '@frugal/nn';
import { createMeter, foldIn, key, type Labelled, type Module, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Story } from '../story.ts';

/** A chapter of one line: the same digits learnt without a backward pass. */
export async function forwardChapter({ io, mnist, options, targets, costs }: Story): Promise<void> {
  const recipe = { ...recipeOf('mlp', options.quick), batchSize: 128 };
  const data = lesson(mnist, recipe, options.seed);
  const learner = localLearning<Tree, Labelled>(mlp([784, 128, 128, 10]) as unknown as Staged, {
    inputShape: [28, 28, 1],
  });
  const model = learner.model as unknown as Module;
  const meter = createMeter(io.energy);
  const start = performance.now();
  const { params, optimizer, state } = await train({
    ...{ model, data: data.train, epochs: 1, meter, key: foldIn(key(options.seed), 5) },
    ...{ loss: learner.loss as never, estimator: learner.estimator },
    optimizer: adam(cosine(1e-2, { warmup: 50, steps: data.train.batchesPerEpoch }), { epsilon: 1e-8 }),
  }).result;
  const seconds = (performance.now() - start) / 1000;
  const accuracy = await accuracyOf(model, params, data.test);
  tf.dispose([params, optimizer, state] as tf.TensorContainer);
  costs.set('learning without a backward pass', meter.read());
  io.print(
    `\nNo backward pass is needed: by random nudges and local losses a smaller network reaches ${percent(accuracy)} in one ` +
      `epoch, ${seconds.toFixed(1)} s of forward kernels alone.`,
  );
  targets.push(atLeast('accuracy without a backward pass', accuracy, options.quick ? 0.85 : 0.93, percent));
}
