import { memoryStore } from '@frugal/core-trainer';
import { type LabelledImages, subset, toBatch } from '@frugal/datasets';
import { atLeast, count, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { createMeter, formatCost, key } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { type Data, myProgram } from './program.ts';

const plans = {
  full: { images: 40_000, epochs: 5, powerFailure: 2, target: 0.975 },
  quick: { images: 10_000, epochs: 2, powerFailure: 1, target: 0.92 },
};

/** Images as float32 [N, 28, 28, 1] in [0, 1], labels as one-hot rows: what most programs feed to `fit`. */
function asTensors(images: LabelledImages): Data {
  const { x, y } = toBatch(
    images,
    Int32Array.from({ length: images.size }, (_, i) => i),
  );
  const oneHot = tf.tidy(() => tf.cast(tf.oneHot(y as tf.Tensor1D, 10), 'float32'));
  y.dispose();
  return { x, y: oneHot };
}

async function weightsOf(model: tfl.LayersModel): Promise<Uint8Array[]> {
  const values = await Promise.all(model.getWeights().map((weight) => weight.data<'float32'>()));
  return values.map((value) => new Uint8Array(Float32Array.from(value).buffer));
}

/** Whether two models have the same weights, bit for bit. */
async function sameBits(a: tfl.LayersModel, b: tfl.LayersModel): Promise<boolean> {
  const [left, right] = [await weightsOf(a), await weightsOf(b)];
  return left.every((bytes, i) => bytes.every((byte, j) => byte === right[i]![j]));
}

/** A tfjs model trained with `model.fit`; the power fails, it goes on, and ends where the undisturbed run ends. */
export async function runBringYourModel(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const { images, epochs, powerFailure, target } = options.quick ? plans.quick : plans.full;
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}`);
  const mnist = await io.mnist();
  const data = asTensors(subset(mnist.train, images, { key: key(options.seed) }));
  const meter = createMeter(io.energy);
  const settings = { epochs, batchSize: 128, meter, store: memoryStore(), listeners: [io.progress()] };

  io.print(
    `\nThe program trains on ${count(images)} images. After ${powerFailure} of ${epochs} epochs the power fails.`,
  );
  const lost = await myProgram(data, { ...settings, powerFailure });
  lost.dispose();
  io.print('\nThe same program is started again, and goes on:');
  const resumed = await myProgram(data, settings);
  io.print(`\nWhat the training cost:\n${formatCost(meter.read(), 4)}`);

  io.print('\nOnce more, undisturbed, to compare:');
  const undisturbed = await myProgram(data, { ...settings, meter: createMeter(), store: memoryStore() });
  const equal = await sameBits(resumed, undisturbed);

  const test = asTensors(mnist.test);
  const scores = resumed.evaluate(test.x, test.y, { batchSize: 1000 }) as tf.Scalar[];
  const accuracy = (await scores[1]!.data())[0]!;
  tf.dispose([data, test, scores] as unknown as tf.TensorContainer);
  resumed.dispose();
  undisturbed.dispose();
  return [
    {
      what: 'resumed run',
      reached: equal,
      verdict: `${equal ? 'equals' : 'differs from'} the undisturbed one, bit for bit`,
    },
    atLeast('test accuracy', accuracy, target, percent),
  ];
}
