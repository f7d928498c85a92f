// A step of an MLP 784-1024-1024-10, batch 64, plain SGD: forward gradients ÷ backprop; sampling, derivative and update included.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sgd, takeStep } from '@frugal/core-trainer';
import { activityPerturbation, localLearning, weightPerturbation } from '@frugal/forward-grad';
import { mlp } from '@frugal/nn';
import {
  ensureGradients,
  foldIn,
  type GradientEstimator,
  type GradientTransformation,
  jvp,
  type Key,
  key,
  type LossFunction,
  matMulAccumulate,
  meter,
  randomIntegers,
  randomNormal,
  randomSigns,
  type Staged,
  softmaxCrossEntropy,
  type Tree,
  treeDispose,
  treeMap,
  treeSize,
  useBackend,
  valueAndGrad,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, type Side, table } from './harness.ts';

const BATCH = 64;
const RATE = 1e-5;
const SIZES = quick ? [784, 256, 256, 10] : [784, 1024, 1024, 10];
const stock = process.argv.includes('--stock');
const threads = process.argv.includes('--two-threads') ? 2 : 1;

type Batch = { x: tf.Tensor; y: tf.Tensor };

const model = mlp(SIZES);
const loss: LossFunction<Tree, Batch> = (params, { x, y }) =>
  softmaxCrossEntropy({ logits: model.apply(params as never, x), labels: y });

/** The gradient by tape, as core-trainer's backprop has it. */
const tape = ((f, params, batch, k) => {
  const [value, grads] = valueAndGrad((p: typeof params) => tf.mean(f(p, batch, { train: true, key: k })))(params);
  return { loss: value, grads };
}) as GradientEstimator;

/** A whole step with parameters of its own; with `keys` as many, one for each. */
function step(
  estimator: GradientEstimator,
  f: LossFunction<Tree, Batch> = loss,
  init = model.init as never,
  keys?: Key[],
): Side {
  const optimizer = sgd(RATE) as GradientTransformation;
  let params = (init as (k: ReturnType<typeof key>) => Tree)(key(3));
  let state = optimizer.init(params);
  let i = 0;
  return () => {
    for (const k of keys ?? [foldIn(key(4), i)]) {
      const { loss: value, grads } = estimator(f, params, batch, k);
      [params, state] = takeStep(optimizer, grads, state, params, { step: i++ });
      treeDispose(grads);
      value.dispose();
    }
  };
}

/** Backprop written out: every gradient is added to its weight by the product that makes it. */
function hand(): Side {
  let weights = SIZES.slice(1).map(
    (n, i) => randomNormal(foldIn(key(3), i), [SIZES[i]!, n], { sd: 0.03 }) as tf.Tensor2D,
  );
  let biases = SIZES.slice(1).map((n) => tf.zeros([n]) as tf.Tensor1D);
  const labels = tf.tidy(() => tf.cast(tf.oneHot(batch.y as tf.Tensor1D, SIZES.at(-1)!), 'float32'));
  const last = weights.length - 1;
  return () => {
    const next = tf.tidy(() => {
      const activities: tf.Tensor2D[] = [batch.x as tf.Tensor2D];
      for (const [i, b] of weights.entries()) {
        const activation = i < last ? 'relu' : 'linear';
        activities.push(tf.fused.matMul({ a: activities[i]!, b, bias: biases[i]!, activation }) as tf.Tensor2D);
      }
      let g = tf.sub(tf.softmax(activities[last + 1]!), labels) as tf.Tensor2D;
      const moved: [tf.Tensor2D, tf.Tensor1D][] = [];
      for (let i = last; i >= 0; i--) {
        const before =
          i > 0 ? (tf.mul(tf.matMul(g, weights[i]!, false, true), tf.step(activities[i]!)) as tf.Tensor2D) : g;
        const w = matMulAccumulate(
          { c: weights[i]!, a: activities[i]!, b: g },
          { transposeA: true, alpha: -RATE / BATCH },
        );
        moved.unshift([w as tf.Tensor2D, tf.sub(biases[i]!, tf.mul(tf.sum(g, 0), RATE / BATCH))]);
        g = before;
      }
      return moved;
    });
    tf.dispose(biases);
    weights = next.map(([w]) => w);
    biases = next.map(([, b]) => b);
  };
}

let batch: Batch;
function makeBatch(): void {
  batch = { x: randomNormal(key(1), [BATCH, SIZES[0]!]), y: randomIntegers(key(2), [BATCH], { max: SIZES.at(-1)! }) };
}

const rounds = { rounds: quick ? 5 : 31, clock: threads === 1 ? ('cpu' as const) : ('wall' as const) };

if (stock) {
  // tfjs's own kernels in a process of their own: ours replace them for good.
  const backend = await import('@tensorflow/tfjs-backend-wasm');
  backend.setWasmPaths(
    fileURLToPath(new URL('.', import.meta.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm'))),
  );
  backend.setThreadsCount(threads);
  await tf.setBackend('wasm');
  await ensureGradients();
  makeBatch();
  const params = SIZES.slice(1).map((n, i) => tf.tidy(() => tf.variable(tf.randomNormal([SIZES[i]!, n], 0, 0.03))));
  const optimizer = tf.train.sgd(RATE);
  const labels = tf.oneHot(batch!.y as tf.Tensor1D, SIZES.at(-1)!);
  const forward = (): tf.Scalar => {
    const out = params.reduce<tf.Tensor>((h, w, i) => {
      const z = tf.matMul(h as tf.Tensor2D, w as tf.Tensor2D);
      return i < params.length - 1 ? tf.relu(z) : z;
    }, batch.x);
    return tf.losses.softmaxCrossEntropy(labels, out);
  };
  const { step: time } = await interleave(
    { step: () => optimizer.minimize(forward, false, params as tf.Variable[]) },
    { ...rounds, rounds: 5 },
  );
  console.log(JSON.stringify({ best: time.best }));
  process.exit(0);
}

await useBackend(wasm({ threads }));
makeBatch();
const local = localLearning<Tree, Batch>(model as unknown as Staged, { inputShape: [SIZES[0]!] });
const blockwise = weightPerturbation({ blocks: (path) => path.split('.')[0]! });
const params = model.init(key(3)) as Tree;
const signs = treeMap((leaf) => randomSigns(key(9), leaf.shape), params);
const forward = (p: Tree): tf.Tensor => tf.mean(loss(p, batch, { train: true }));
const layers = SIZES.length - 1;
/** A key for each layer, whose step perturbs that one: blocks are drawn from the key. */
const blockKeys = SIZES.slice(1).map((_, layer) => {
  for (let seed = 0; ; seed++) {
    const { loss: value, grads } = blockwise(loss, params, batch, key(seed));
    const chosen = (grads as { bias: unknown }[])[layer]!.bias instanceof tf.Tensor; // the others are structured zeros
    treeDispose(grads);
    value.dispose();
    if (chosen) return key(seed);
  }
});
const sides = {
  tape: step(tape),
  hand: hand(),
  dense: step(weightPerturbation({ structure: 'dense' })),
  rankOne: step(weightPerturbation()),
  activity: step(activityPerturbation()),
  local: step(local.estimator, local.loss as never, local.model.init as never),
  blocks: step(blockwise, loss, model.init as never, blockKeys),
  forward: () => tf.dispose(forward(params)),
  jvp: () => tf.dispose(jvp((p: Tree) => forward(p), [params], [signs])),
};
const times = await interleave(sides, rounds);
const ratio = (name: keyof typeof sides, base: keyof typeof sides = 'tape'): number =>
  times[name].best / times[base].best;

const args = [...process.execArgv, fileURLToPath(import.meta.url), '--stock', ...(quick ? ['--quick'] : [])];
const child = spawnSync(process.execPath, args, { encoding: 'utf8' });
if (child.status !== 0) throw new Error(`The stock backend failed:\n${child.stderr}`);
const { best: tfjs } = JSON.parse(child.stdout.trim().split('\n').at(-1)!) as { best: number };

/** Peak bytes of a whole step along dense signs above those of its derivative along signs that were there before. */
const stepPeak = meter(step(weightPerturbation({ structure: 'dense' }))).peakBytes;
const passPeak = meter(() => tf.dispose(jvp((p: Tree) => forward(p), [params], [signs]))).peakBytes;
const tangentBytes = Math.max(0, stepPeak - passPeak) / (4 * treeSize(params));

table(
  (Object.keys(sides) as (keyof typeof sides)[]).map((name) => ({
    side: name,
    'ms (best)': times[name].best,
    'ms (median)': times[name].median,
    '÷ tape': ratio(name),
    '÷ hand': ratio(name, 'hand'),
  })),
);
console.log(`stock tfjs backprop: ${tfjs.toFixed(1)} ms; ${layers} blocks; ${threads} thread${threads > 1 ? 's' : ''}`);
finish('forward-step', {
  tape_vs_hand: ratio('tape', 'hand'),
  dense: ratio('dense'),
  rank_one: ratio('rankOne'),
  activity: ratio('activity'),
  local: ratio('local'),
  block: ratio('blocks') / layers,
  rank_one_vs_tfjs: times.rankOne.best / tfjs,
  jvp_over_forward: ratio('jvp', 'forward'),
  tangent_bytes: tangentBytes,
});
tf.disposeVariables();
