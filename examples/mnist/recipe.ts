import { accuracy, adamw, classification, cosine, type Listener, lossFunction, train } from '@frugal/core-trainer';
import { type LabelledImages, type Mnist, normalizations, splitExamples, subset, toDataset } from '@frugal/datasets';
import { UsageError } from '@frugal/example-support';
import { lenet5, mlp } from '@frugal/nn';
import { type Dataset, foldIn, key, type Labelled, type Meter, type Module, type Run, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** A model with the settings that train it well. */
export interface Recipe {
  readonly name: string;
  readonly model: Module;
  readonly epochs: number;
  readonly batchSize: number;
  /** The largest learning rate; it rises for `warmup` steps and then falls along a cosine. */
  readonly peak: number;
  readonly warmup: number;
  /** AdamW's; 0 is Adam. */
  readonly weightDecay: number;
  /** Share of the target that is spread over all digits. */
  readonly smoothing: number;
  /** Images to learn from; 5,000 more are kept apart to watch the accuracy. */
  readonly images: number;
  /** The accuracy on the 10,000 test images that this recipe promises. */
  readonly target: number;
}

const common = { batchSize: 128, peak: 3e-3, warmup: 100, images: 55_000, weightDecay: 0, smoothing: 0 };

/** Chosen on validation images; the test images were not looked at. */
const recipes: Readonly<Record<string, { readonly full: Recipe; readonly quick: Recipe }>> = {
  mlp: both(
    { ...common, name: 'MLP 784-512-10', model: mlp([784, 512, 10]) as Module, epochs: 6, target: 0.98 },
    { epochs: 1, images: 20_000, batchSize: 64, warmup: 30, target: 0.94 },
  ),
  lenet5: both(
    {
      ...common,
      name: 'LeNet-5',
      model: lenet5() as Module,
      epochs: 8,
      weightDecay: 0.05,
      smoothing: 0.05,
      target: 0.99,
    },
    { epochs: 1, images: 10_000, batchSize: 64, warmup: 30, target: 0.93 },
  ),
};

/** The recipe of a model. */
export function recipeOf(model: string, quick: boolean): Recipe {
  const choice = recipes[model];
  if (choice === undefined)
    throw new UsageError(`There is no model '${model}'. Try ${Object.keys(recipes).join(' or ')}.`);
  return quick ? choice.quick : choice.full;
}

function both(full: Recipe, quick: Partial<Recipe>): { full: Recipe; quick: Recipe } {
  return { full, quick: { ...full, ...quick } };
}

/** MNIST as the recipe wants it. */
export interface Lesson {
  readonly train: Dataset<Labelled>;
  readonly validation: Dataset<Labelled>;
  readonly test: Dataset<Labelled>;
}

/** Batches for learning, for watching, and for the end. */
export function lesson(mnist: Mnist, recipe: Recipe, seed: number): Lesson {
  const { train, validation } = splitExamples(mnist.train, { train: 'rest', validation: 5_000 }, { key: key(seed) });
  const some = subset(train, recipe.images, { key: foldIn(key(seed), 1) });
  const batches = (images: LabelledImages, batchSize: number, shuffle: boolean): Dataset<Labelled> =>
    toDataset(images, { batchSize, shuffle, normalization: normalizations.mnist });
  return {
    train: batches(some, recipe.batchSize, true),
    validation: batches(validation, 1000, false),
    test: batches(mnist.test, 1000, false),
  };
}

/** The share of right answers. */
export async function accuracyOf(model: Module, params: Tree, data: Dataset<Labelled>): Promise<number> {
  let right = 0;
  for await (const batch of data.batches({ key: key(0), epoch: 0 })) {
    const sum = tf.tidy(() => tf.sum(accuracy(model.apply(params, batch.x), batch.y)));
    right += (await sum.data())[0]!;
    tf.dispose([sum, batch]);
  }
  return right / data.size;
}

/** What a caller may add to `learn`. */
export interface LearnOptions {
  readonly seed: number;
  readonly listeners?: readonly Listener[];
  readonly meter?: Meter;
  readonly signal?: AbortSignal;
}

/** Starts the training of a recipe: AdamW, softmax cross-entropy, the validation accuracy after every epoch. */
export function learn(recipe: Recipe, { train: data, validation }: Lesson, options: LearnOptions): Run {
  const { model, epochs, peak, warmup, weightDecay, smoothing } = recipe;
  const { seed, ...rest } = options;
  return train({
    ...rest,
    model,
    data,
    epochs,
    loss: lossFunction(model, classification({ smoothing }).loss),
    optimizer: adamw(cosine(peak, { warmup, steps: epochs * data.batchesPerEpoch }), { weightDecay }),
    key: foldIn(key(seed), 2),
    evaluate: async (params) => ({ accuracy: await accuracyOf(model, params, validation) }),
  });
}
