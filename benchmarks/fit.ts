// tfjs-layers' own model.fit, nothing of it changed: on tfjs's wasm backend and on ours. An MLP on both; a convolutional
// net and a character gpt where tfjs's has no gradients.
import { charTokenizer } from '@frugal/datasets';
import { readMnist, readMobyDick } from '@frugal/datasets/node';
import { gpt } from '@frugal/nn';
import { ensureGradients, type Module } from '@frugal/tensor';
import { trainable } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { finish, interleave, quick, table } from './harness.ts';
import { ModuleLayer } from './support/module-layer.ts';
import { addStockBackend } from './support/stock.ts';

const stock = await addStockBackend();
const { threads, relaxed } = await trainable();
await ensureGradients();
console.log(`${threads} threads, ${relaxed ? 'relaxed' : 'plain'} SIMD; tfjs's own kernels have one thread\n`);

const mnist = await readMnist();
const silent = { verbose: 0, yieldEvery: 'never' } as const;

function images({ x, y, size }: typeof mnist.train, count: number, shape: number[]) {
  const n = Math.min(count, size);
  return {
    x: tf.tensor(
      Float32Array.from(x.subarray(0, n * 784), (v) => (v / 255 - 0.1307) / 0.3081),
      [n, ...shape],
    ),
    y: tf.cast(tf.oneHot(tf.tensor1d(Int32Array.from(y.subarray(0, n)), 'int32'), 10), 'float32'),
  };
}

function compiled(layers: tfl.layers.Layer[]): tfl.Sequential {
  const model = tfl.sequential({ layers });
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

const { dense, conv2d, maxPooling2d, flatten } = tfl.layers;

async function mlpFit(): Promise<() => Promise<unknown>> {
  const { x, y } = images(mnist.train, quick ? 64 * 4 : 64 * 64, [784]);
  const model = compiled([
    dense({ inputShape: [784], units: 1024, activation: 'relu' }),
    dense({ units: 1024, activation: 'relu' }),
    dense({ units: 10, activation: 'softmax' }),
  ]);
  return () => model.fit(x, y, { batchSize: 64, epochs: 1, ...silent });
}

async function lenetAccuracy(): Promise<number> {
  const train = images(mnist.train, quick ? 1920 : 60_000, [28, 28, 1]);
  const test = images(mnist.test, quick ? 1000 : 10_000, [28, 28, 1]);
  const model = compiled([
    conv2d({ inputShape: [28, 28, 1], filters: 6, kernelSize: 5, padding: 'same', activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    conv2d({ filters: 16, kernelSize: 5, activation: 'relu' }),
    maxPooling2d({ poolSize: 2 }),
    flatten(),
    dense({ units: 120, activation: 'relu' }),
    dense({ units: 84, activation: 'relu' }),
    dense({ units: 10, activation: 'softmax' }),
  ]);
  await model.fit(train.x, train.y, { batchSize: 64, epochs: 1, ...silent });
  const [, accuracy] = model.evaluate(test.x, test.y, { batchSize: 500 }) as tf.Scalar[];
  return (await accuracy!.data())[0]!;
}

/** Nats that a character gpt gains over the text's unigrams, on text that it has not seen. */
async function gptGain(): Promise<number> {
  const [context, batch, steps] = [64, 16, quick ? 30 : 500];
  const text = await readMobyDick();
  const tokenizer = charTokenizer(text);
  const tokens = tokenizer.encode(text);
  const counts = new Float64Array(tokenizer.size);
  for (const token of tokens) counts[token]! += 1;
  const entropy = counts.reduce(
    (sum, n) => (n === 0 ? sum : sum - (n / tokens.length) * Math.log(n / tokens.length)),
    0,
  );
  const windows = (from: number, count: number) => {
    const rows = Array.from({ length: count }, (_, i) =>
      tokens.subarray(from + i * context, from + (i + 1) * context + 1),
    );
    return {
      x: tf.tensor2d(
        rows.map((row) => Array.from(row.subarray(0, context))),
        [count, context],
        'int32',
      ),
      y: tf.tensor3d(
        rows.map((row) => Array.from(row.subarray(1), (token) => [token])),
        [count, context, 1],
        'float32',
      ),
    };
  };
  const net = gpt({ vocabulary: tokenizer.size, context, dim: 64, depth: 2, heads: 4 });
  const model = tfl.sequential({
    layers: [
      tfl.layers.inputLayer({ inputShape: [context], dtype: 'int32' }),
      new ModuleLayer(net as unknown as Module, [tokenizer.size]),
      tfl.layers.activation({ activation: 'softmax' }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(3e-3), loss: 'sparseCategoricalCrossentropy' });
  const [train, test] = [windows(0, batch * steps), windows(tokens.length - 200 * context - 1, 200)];
  await model.fit(train.x, train.y, { batchSize: batch, epochs: 1, ...silent });
  const loss = model.evaluate(test.x, test.y, { batchSize: 50 }) as tf.Scalar;
  const nats = (await loss.data())[0]!;
  console.log(
    `gpt, ${steps} steps of ${batch} × ${context}: ${nats.toFixed(3)} nats a character, unigrams ${entropy.toFixed(3)}`,
  );
  return entropy - nats;
}

async function throws(body: () => Promise<unknown>): Promise<string> {
  try {
    await body();
    return 'trains';
  } catch (error) {
    return (error as Error).message.split('\n')[0]!;
  }
}

await tf.setBackend(stock);
const theirs = await mlpFit();
await tf.setBackend('wasm');
const ours = await mlpFit();
const times = await interleave(
  { 'tfjs: mlp': theirs, 'frugal: mlp': ours },
  { before: (name) => tf.setBackend(name.startsWith('tfjs') ? stock : 'wasm'), rounds: 5, sampleTime: 1, warmUp: 1 },
);
table(
  Object.entries(times).map(([name, { best, median }]) => ({
    [quick ? '4 steps of model.fit' : '64 steps of model.fit']: name,
    'best ms': best,
    'median ms': median,
  })),
);
console.log();

await tf.setBackend(stock);
console.log(`tfjs, lenet5: ${await throws(lenetAccuracy)}`);
await tf.setBackend('wasm');
const start = performance.now();
const lenet = await lenetAccuracy();
console.log(
  `lenet5 after one epoch: ${(100 * lenet).toFixed(2)} % (${((performance.now() - start) / 1000).toFixed(0)} s)`,
);
const gain = await gptGain();
finish('fit', { mlp: times['tfjs: mlp'].best / times['frugal: mlp'].best, lenet_accuracy: lenet, gpt_gain_nats: gain });
