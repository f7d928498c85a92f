import { accuracy, adam, cosine, softmaxCrossEntropy, takeStep } from '@frugal/core-trainer';
import { type Lesson, lesson, type Recipe } from '@frugal/example-mnist';
import { atLeast, atMost, count, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import {
  applyBalanced,
  type DispatchPlan,
  moe,
  type Router,
  routeModel,
  routingMetrics,
  runModel,
  switchLoss,
  topKRouter,
} from '@frugal/moe';
import { routerContract } from '@frugal/moe/testing';
import { dense, flatten, relu, residual, sequential } from '@frugal/nn';
import { foldIn, type Key, key, type Module, type Tree, treeDispose, valueAndGrad } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { hesitantRouter } from './router.ts';

const [dim, hidden, experts] = [64, 64, 8];

const routers: Readonly<Record<string, () => Router>> = {
  'top 1': () => topKRouter(dim, experts, { k: 1 }) as Router,
  'top 2': () => topKRouter(dim, experts, { k: 2, normalize: false }) as Router,
  'hesitant (ours)': () => hesitantRouter(dim, experts) as Router,
};

const lengths = { full: { steps: 1500, target: 0.96 }, quick: { steps: 120, target: 0.88 } };

/** What the data should look like; the rest of a recipe is for the loop that this example writes itself. */
const recipe: Recipe = {
  name: 'experts',
  model: dense(784, 10) as Module,
  epochs: 1,
  batchSize: 64,
  peak: 0,
  warmup: 0,
  weightDecay: 0,
  smoothing: 0,
  images: 55_000,
  target: 0,
};

/** 784 → 64, experts under a residual, → 10. An image is one token here. */
const network = (router: Router): Module =>
  sequential({
    flatten: flatten(),
    embed: dense(784, dim),
    act: relu(),
    moe: residual(moe(router, dim, hidden, { kind: 'relu' })),
    head: dense(dim, 10),
  }) as unknown as Module;

/** Trains for some steps; the plan of each batch is made before its gradient. */
async function train(model: Module, { train: data }: Lesson, steps: number, at: Key): Promise<Tree> {
  let params = model.init(foldIn(at, 0));
  const optimizer = adam(cosine(3e-3, { warmup: Math.round(steps / 10), steps }));
  let state: Tree = optimizer.init(params);
  for (let step = 0; step < steps; ) {
    const epoch = Math.floor(step / data.batchesPerEpoch);
    for await (const { x, y } of data.batches({ key: at, epoch })) {
      const ctx = { train: true, key: foldIn(at, step + 1) };
      const plans = await routeModel(model, params, x, { ctx });
      const [loss, grads] = valueAndGrad((p: Tree) =>
        tf.tidy(() => {
          const balance = (logits: tf.Tensor, plan: DispatchPlan) => tf.mul(switchLoss(logits, plan), 0.01);
          const { output, loss } = applyBalanced(model, p, x, plans, balance, ctx);
          return tf.add(tf.mean(softmaxCrossEntropy(output, y)), loss);
        }),
      )(params);
      [params, state] = takeStep(optimizer, grads, state as never, params, { step });
      treeDispose([x, y, loss, grads] as Tree);
      if (++step === steps) break;
    }
  }
  treeDispose(state);
  return params;
}

/** What a trained network does on the test images: right answers, FLOPs, experts per image, and how even the load is. */
async function examine(model: Module, params: Tree, { test }: Lesson) {
  let [right, flops] = [0, 0];
  const plans: DispatchPlan[] = [];
  for await (const batch of test.batches({ key: key(0), epoch: 0 })) {
    const run = await runModel(model, params, batch.x);
    const sum = tf.tidy(() => tf.sum(accuracy(run.output, batch.y)));
    right += (await sum.data())[0]!;
    flops += run.cost.reduce((a, b) => a + b, 0);
    plans.push(...run.plans.values());
    tf.dispose([sum, run.output, batch] as tf.TensorContainer);
  }
  return { accuracy: right / test.size, flops: flops / test.size, ...routingMetrics(plans) };
}

/** A router that a user wrote, through the contract kit, then against two of ours on MNIST. */
export async function runCustomRouter(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const { steps, target } = options.quick ? lengths.quick : lengths.full;
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}\n`);
  const rules = routerContract((dim, experts) => hesitantRouter(dim, experts) as Router);
  for (const { run } of rules) await run();
  io.print(`The contract kit is content: ${rules.map(({ name }) => name).join(', ')}.\n`);

  const data = lesson(await io.mnist(), recipe, options.seed);
  io.print(`${steps} steps of 64 images, ${experts} experts:\n`);
  io.print(`${'router'.padEnd(16)}    test   FLOPs/image  experts/image  load variation`);
  const results: Record<string, Awaited<ReturnType<typeof examine>>> = {};
  for (const [name, make] of Object.entries(routers)) {
    const model = network(make());
    const params = await train(model, data, steps, foldIn(key(options.seed), 7));
    const seen = await examine(model, params, data);
    treeDispose(params);
    results[name] = seen;
    const [flops, each, spread] = [
      count(Math.round(seen.flops)),
      seen.expertsPerToken.toFixed(2),
      seen.loadVariation.toFixed(2),
    ];
    io.print(
      `${name.padEnd(16)} ${percent(seen.accuracy).padStart(7)}   ${flops.padStart(11)}  ${each.padStart(13)}  ${spread.padStart(14)}`,
    );
  }
  const [ours, twice] = [results['hesitant (ours)']!, results['top 2']!];
  return [
    { what: 'contract', reached: true, verdict: `${rules.length} rules kept` },
    atLeast('test accuracy', ours.accuracy, target, percent),
    atMost('FLOPs ÷ those of two experts for every image', ours.flops / twice.flops, 0.99, percent),
  ];
}
