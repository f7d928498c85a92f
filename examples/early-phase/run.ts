import { adam, classification, lossFunction, train } from '@frugal/core-trainer';
import { accuracyOf, lesson, recipeOf } from '@frugal/example-mnist';
import { atLeast, atMost, count, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import {
  criticalRate,
  hessian,
  type Problem,
  probe,
  type Recommendation,
  rangeTest,
  type SharpnessTracker,
  type SpectralDensity,
  spectralDensity,
  terminalChart,
  trackSharpness,
  warmCosine,
} from '@frugal/lr-probe';
import { mlp } from '@frugal/nn';
import { type Dataset, foldIn, key, type Labelled, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Options of this example. */
export interface EarlyPhaseOptions extends ExampleOptions {
  /** A file for the report in HTML; empty for none. */
  readonly report: string;
}

const model = mlp([784, 64, 10]);
const loss = lossFunction(model, classification().loss);

/** What a grid would try: two rates a decade. */
const grid = Array.from({ length: 13 }, (_, i) => 10 ** (-6 + i / 2));

/** Probes, explains, trains at what it found, and then shows the grid that this saved. */
export async function runEarlyPhase(options: EarlyPhaseOptions, io: Io): Promise<readonly Target[]> {
  const { reason } = await io.start(options.backend);
  io.print(reason);
  const { quick, seed } = options;
  const recipe = { ...recipeOf('mlp', true), images: quick ? 6_000 : 20_000, batchSize: 64 };
  const data = lesson(await io.mnist(), recipe, seed);
  const steps = quick ? 90 : 600;
  const params = model.init(foldIn(key(seed), 0)) as Tree;
  const problem: Problem<Tree, Labelled> = { loss: loss as never, params, data: data.train, key: foldIn(key(seed), 1) };

  io.print('\nHow far can the first step go before the loss rises?');
  const critical = await criticalRate(problem, { optimizer: adam });
  io.print(
    terminalChart([{ x: 0, y: critical.loss }, ...critical.points.map(({ rate, loss: y }) => ({ x: rate, y }))], {
      height: 9,
      ceiling: 1.2 * critical.loss,
      marks: { η_c: critical.rate },
    }),
  );
  io.print(
    `Up to ${critical.rate.toPrecision(2)}: ${critical.cost.forwards} forward passes. It says where to start looking, no more.`,
  );

  io.print('\nWhat does a range test say?');
  const test = await rangeTest(problem, { optimizer: adam });
  const start = test.smoothed[0]!.loss;
  io.print(
    terminalChart(
      test.smoothed.map(({ rate, loss: y }) => ({ x: rate, y })),
      { log: true, height: 10, ceiling: 1.3 * start, marks: { ...test.suggestions } },
    ),
  );

  io.print('\nShort copies of the whole run say more:');
  const advice = await probe(problem, { optimizer: adam, steps, setting: 'thorough' });
  explain(advice, io);

  const final = async (rate: number, hooks: readonly SharpnessTracker[] = []): Promise<number> => {
    const run = train({
      ...{ model, loss, params: params as never, data: data.train, steps, key: foldIn(key(seed), 2) },
      optimizer: adam(warmCosine(0.1)(rate, steps)),
      guards: { nonFinite: 'ignore' },
      hooks: hooks as never[],
    });
    const result = await run.result;
    const accuracy = await accuracyOf(model as never, result.params as Tree, data.test);
    tf.dispose([result.params, result.optimizer, result.state] as tf.TensorContainer);
    return accuracy;
  };
  io.print(`\nTrained at ${advice.rate.toPrecision(2)} for ${count(steps)} steps, and the grid that this saved:`);
  const reported = options.report === '' ? [] : [trackSharpness(problem, { every: 10, optimizer: 'adam' })];
  const accuracy = await final(advice.rate, reported);
  io.print(`  ${advice.rate.toExponential(1).padStart(8)}  ${percent(accuracy)}  ← recommended`);
  let best = 0;
  for (const rate of grid) {
    const reached = await final(rate);
    best = Math.max(best, reached);
    io.print(`  ${rate.toExponential(1).padStart(8)}  ${percent(reached)}`);
  }
  for (const tracker of reported) {
    // Vega is large: loaded only for this.
    const { htmlReport } = await import('./report.ts');
    const density = await densityAt(problem);
    const html = await htmlReport({ advice, critical, test, sharpness: tracker.points, density });
    io.print(`Report: ${await io.save(options.report, html)}`);
    tracker.dispose();
  }
  tf.dispose(params as tf.TensorContainer);
  const cheaper = advice.grid!.flops / advice.cost.flops;
  return [
    atMost('accuracy below the best of the grid', best - accuracy, 0.01, percent),
    atLeast('times cheaper than the grid', cheaper, 12, (value) => value.toFixed(1)),
  ];
}

/** The spectrum of the Hessian of the first batch's loss. */
async function densityAt({ params, data, key: k }: Problem<Tree, Labelled>): Promise<SpectralDensity> {
  for await (const batch of (data as Dataset<Labelled>).batches({ key: k, epoch: 0 })) {
    const operator = hessian(loss as never, params, [batch] as never[]);
    const density = await spectralDensity(operator, { key: foldIn(k, 1), starts: 2 });
    operator.dispose();
    tf.dispose(batch as never);
    return density;
  }
  throw new Error('There are no batches.');
}

function explain({ evidence, rate, parts, cost, grid: full }: Recommendation, io: Io): void {
  const runs = evidence.miniatures ?? [];
  const points = runs.filter(({ diverged }) => !diverged).map((run) => ({ x: run.rate, y: run.loss }));
  io.print(terminalChart(points, { log: true, height: 9, marks: { recommended: rate } }));
  const { warmup, batchSize } = parts;
  for (const [name, part] of [
    [`The rate: ${rate.toPrecision(2)}`, parts.rate],
    [`Warm-up: ${warmup.value} steps`, warmup],
    [`Batches of ${batchSize.value}`, batchSize],
  ] as const) {
    io.print(`${name} (confidence ${part.confidence}). ${part.reasons.join(' ')}`);
  }
  io.print(`All that cost ${(full!.flops / cost.flops).toFixed(0)} times less than a grid of ${full!.runs}.`);
}
