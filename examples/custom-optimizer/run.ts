import { cosine, lossFunction, momentum, type Rate, sgd, softmaxCrossEntropy, train } from '@frugal/core-trainer';
import { optimizerContract } from '@frugal/core-trainer/testing';
import { accuracyOf, type Lesson, lesson, type Recipe, recipeOf } from '@frugal/example-mnist';
import { atLeast, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { mlp } from '@frugal/nn';
import { foldIn, type GradientTransformation, key, type Module } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { neuronAdam } from './optimizer.ts';

type Make = (learningRate: Rate) => GradientTransformation;

const optimizers: Readonly<Record<string, Make>> = {
  sgd: (rate) => sgd(rate),
  momentum: (rate) => momentum(rate),
  'neuron adam (ours)': neuronAdam,
};

/** How long a run is, how many seeds the verdict rests on, which powers of ten are tried as rates. */
const plans = {
  full: { steps: 300, seeds: 3, decades: [-3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0], margin: 0.003 },
  quick: { steps: 100, seeds: 1, decades: [-2, -1.25, -0.5], margin: 0.002 },
};

const model = mlp([784, 128, 10]) as Module;
const recipe: Recipe = { ...recipeOf('mlp', false), name: 'MLP 784-128-10', model, batchSize: 64 };

interface Trial {
  readonly make: Make;
  readonly rate: number;
  readonly steps: number;
  readonly seed: number;
}

/** Trains with one optimizer at one rate; the schedule is the same for all: a tenth of warm-up, then a cosine. */
async function attempt({ make, rate, steps, seed }: Trial, data: Lesson, on: 'validation' | 'test'): Promise<number> {
  const run = train({
    model,
    loss: lossFunction(model, softmaxCrossEntropy),
    optimizer: make(cosine(rate, { warmup: Math.round(steps / 10), steps })),
    data: data.train,
    key: foldIn(key(seed), 3),
    steps,
    // A rate that is too high is an answer, not an accident.
    guards: { nonFinite: 'ignore' },
  });
  const { params, optimizer, state } = await run.result;
  const accuracy = await accuracyOf(model, params, data[on]);
  tf.dispose([params, optimizer, state] as tf.TensorContainer);
  return accuracy;
}

/** Runs the contract kit on the optimizer; a violation is an error that says which rule and how. */
async function keepContract(io: Io): Promise<number> {
  const checks = optimizerContract(neuronAdam);
  for (const { run } of checks) await run();
  io.print(`The contract kit is content: ${checks.map(({ name }) => name).join(', ')}.`);
  return checks.length;
}

/** An optimizer that a user wrote, through the contract kit, then against ours on MNIST with rates tuned alike. */
export async function runCustomOptimizer(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const { steps, seeds, decades, margin } = options.quick ? plans.quick : plans.full;
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}\n`);
  const rules = await keepContract(io);

  const data = lesson(await io.mnist(), recipe, options.seed);
  io.print(`\n${recipe.name}: runs of ${steps} steps; rates chosen on validation images, tested on ${seeds} seeds.\n`);
  io.print(
    `${'optimizer'.padEnd(20)} ${decades.map((d) => (10 ** d).toPrecision(1).padStart(7)).join('')}   best    test`,
  );
  const results: Record<string, number> = {};
  for (const [name, make] of Object.entries(optimizers)) {
    const scores: number[] = [];
    for (const decade of decades) {
      const trial = { make, rate: 10 ** decade, steps, seed: options.seed };
      scores.push(await attempt(trial, data, 'validation'));
    }
    const best = decades[scores.indexOf(Math.max(...scores))]!;
    let sum = 0;
    for (let seed = 0; seed < seeds; seed++) {
      sum += await attempt({ make, rate: 10 ** best, steps, seed: options.seed + seed }, data, 'test');
    }
    results[name] = sum / seeds;
    const row = scores.map((score) => (100 * score).toFixed(1).padStart(7)).join('');
    io.print(`${name.padEnd(20)} ${row}   ${(10 ** best).toPrecision(1).padEnd(6)}  ${percent(results[name]!)}`);
  }
  const lead = results['neuron adam (ours)']! - results.sgd!;
  return [
    { what: 'contract', reached: true, verdict: `${rules} rules kept` },
    atLeast('test accuracy above that of sgd', lead, margin, percent),
  ];
}
