// What the loop costs: training of two MLPs on wasm by `train` ÷ the bare steps in it (gradient and update, on batches of the
// same examples that lie ready). Both run in turn in one process: after every chunk of the loop a hook runs as many bare steps.
import {
  adam,
  backprop,
  classification,
  fromArrays,
  fromTensors,
  type Hook,
  lossFunction,
  train,
} from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import {
  type Dataset,
  fillIntegers,
  fillUniform,
  foldIn,
  key,
  type Tree,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, median, quick, table } from './harness.ts';

const BATCH = 64;
/** So low that a batch seen thousands of times is not learned by heart: steps would change with it. */
const RATE = 1e-6;
const EXAMPLES = 8192;
const CHUNK_MS = quick ? 30 : 120;
const CHUNKS = quick ? 15 : 41;
const MODELS = [
  [784, 1024, 1024, 10],
  [784, 32, 10],
];

const x = new Float32Array(784 * EXAMPLES);
fillUniform(key(1), x);
const y = new Int32Array(EXAMPLES);
fillIntegers(key(2), y, 0, 10);
/** All examples once more, as batches that need no assembling. */
function readyBatches(): { x: tf.Tensor; y: tf.Tensor }[] {
  return Array.from({ length: EXAMPLES / BATCH }, (_, i) => ({
    x: tf.tensor2d(x.subarray(784 * BATCH * i, 784 * BATCH * (i + 1)), [BATCH, 784]),
    y: tf.tensor1d(y.subarray(BATCH * i, BATCH * (i + 1)), 'int32'),
  }));
}

/** Gradient and update on one ready batch after the other. */
function bareSteps(sizes: readonly number[]): { step(): void; dispose(): void } {
  const model = mlp(sizes);
  const loss = lossFunction(model, classification().loss);
  const optimizer = adam(RATE);
  const gradient = backprop();
  const batches = readyBatches();
  let params = model.init(key(3));
  let state = optimizer.init(params);
  let step = 0;
  return {
    step() {
      const { loss: value, grads } = gradient(loss, params, batches[step % batches.length]!, foldIn(key(4), step), {
        train: true,
      });
      [params, state] = optimizer.step!(grads, state, params, { step: step++, loss: value });
      treeDispose(grads);
      value.dispose();
    },
    dispose: () => treeDispose([params, state, batches] as Tree),
  };
}

/** Milliseconds per step by the wall clock, and of processor time (all threads). */
interface Cost {
  wall: number;
  cpu: number;
}

const now = (): Cost => {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now(), cpu: (user + system) / 1000 };
};

const since = (start: Cost, steps: number): Cost => {
  const end = now();
  return { wall: (end.wall - start.wall) / steps, cpu: (end.cpu - start.cpu) / steps };
};

interface Pair {
  loop: Cost;
  bare: Cost;
}

/** Costs of neighbouring chunks. */
async function measure(sizes: readonly number[], data: Dataset<{ x: tf.Tensor; y: tf.Tensor }>): Promise<Pair[]> {
  const bare = bareSteps(sizes);
  const run = (count: number): Cost => {
    const start = now();
    for (let i = 0; i < count; i++) bare.step();
    return since(start, count);
  };
  run(20);
  const chunk = Math.max(5, Math.ceil(CHUNK_MS / run(10).wall));
  const pairs: Pair[] = [];
  let begun = now();
  const alternate: Hook = {
    name: 'alternate',
    onEvent(event) {
      if (event.type !== 'step' || event.step % chunk !== 0) return;
      const loop = since(begun, chunk);
      const other = run(chunk);
      if (event.step > 2 * chunk) pairs.push({ loop, bare: other });
      begun = now();
    },
  };
  const training = train({
    model: mlp(sizes),
    objective: classification(),
    optimizer: adam(RATE),
    data,
    key: key(3),
    steps: chunk * (CHUNKS + 2),
    hooks: [alternate],
  });
  let losses = 0;
  for await (const event of training.events) if (event.type === 'step' && Number.isFinite(event.loss)) losses++;
  const { params, optimizer, state } = await training.result;
  if (losses < chunk * CHUNKS) throw new Error(`Only ${losses} losses arrived.`);
  treeDispose([params, optimizer, state]);
  bare.dispose();
  return pairs;
}

const { reason } = await useBackend(wasm());
console.log(`${reason} Batch ${BATCH}, Adam, ${EXAMPLES} examples in memory, shuffled.\n`);

const sources = {
  tensors: fromTensors({ x: tf.tensor2d(x, [EXAMPLES, 784]), y: tf.tensor1d(y, 'int32') }, { batchSize: BATCH }),
  arrays: fromArrays({ x: { values: x, shape: [784] }, y }, { batchSize: BATCH }),
};
const rows = [];
const overheads: Record<keyof typeof sources, number[]> = { tensors: [], arrays: [] };
for (const sizes of MODELS) {
  for (const source of ['tensors', 'arrays'] as const) {
    const pairs = await measure(sizes, sources[source]);
    const ratio = (clock: keyof Cost): number => median(pairs.map(({ loop, bare }) => loop[clock] / bare[clock])) - 1;
    overheads[source].push(ratio('wall'));
    rows.push({
      model: sizes.join('-'),
      data: source,
      'bare µs': median(pairs.map(({ bare }) => bare.wall)) * 1000,
      'loop µs': median(pairs.map(({ loop }) => loop.wall)) * 1000,
      'overhead (median of the pairs)': ratio('wall'),
      'by processor time': ratio('cpu'),
    });
  }
}
table(rows);
finish('loop', { overhead: Math.max(...overheads.tensors), overhead_arrays: Math.max(...overheads.arrays) });
