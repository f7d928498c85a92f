// Trains the character model of `bench speculate` and writes it as 16-bit floats (runs/speculate-checkpoint.sh).
import { adamw, chain, clipByGlobalNorm, cosine, softmaxCrossEntropy, train } from '@frugal/core-trainer';
import { type TokenBatch, tokenDataset } from '@frugal/datasets';
import { readMobyDick } from '@frugal/datasets/node';
import { type ExitParams, exitLoss } from '@frugal/early-exit';
import { type Key, key, type Tree, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { quick } from '../harness.ts';
import { readExits, writeCheckpoint } from '../support/checkpoints.ts';
import { bookOf, context, exitGpt, lossOf } from '../support/exit-gpt.ts';

const threads = process.argv.includes('--one-thread') ? 1 : 'auto';
await useBackend(wasm({ threads }));
const book = bookOf(await readMobyDick());
const { model } = exitGpt(book.tokenizer.size);
const start = performance.now();
const say = (text: string): void => console.log(`${((performance.now() - start) / 60_000).toFixed(1)} min: ${text}`);

type Params = ExitParams<never> & Tree;
const steps = quick ? 5 : 1000;
const early = exitLoss(model, (logits, y) => softmaxCrossEntropy(logits, y), { weights: [0.5, 0.3, 0.3, 1] });
const run = train<Params, TokenBatch>({
  model: { init: (k: Key) => model.init(k) as Params },
  loss: (params, { tokens }, ctx) =>
    tf.tidy(() => {
      const rows = tokens.shape[0];
      const [x, y] = [0, 1].map((from) => tf.slice(tokens, [0, from], [rows, context]));
      return early(params, { x: x!, y: y! }, ctx);
    }),
  optimizer: chain(
    clipByGlobalNorm(1),
    adamw(cosine(2.5e-3, { warmup: Math.min(100, steps - 1), steps }), { weightDecay: 0.01 }),
  ),
  data: tokenDataset(book.train, { context, batchSize: 24 }),
  ...{ key: key(1), steps },
});
for await (const event of run.events) {
  if (event.type === 'step' && event.step % 50 === 0)
    say(`step ${event.step}, loss ${event.loss?.toFixed(3)} (2.1 × one exit's)`);
}
const { params, optimizer, state } = await run.result;
tf.dispose([optimizer, state] as tf.TensorContainer);

let kept = params;
if (!quick) {
  for (const part of ['backbone', 'heads'] as const) {
    say(`gpt.${part}: ${(await writeCheckpoint(`gpt.${part}`, params[part])).toFixed(2)} MB`);
  }
  kept = await readExits('gpt', model);
}
const losses = await lossOf(model, kept, quick ? book.test.subarray(0, 2000) : book.test);
say(`nats a character on the test pages, exits first: ${losses.map((loss) => loss.toFixed(3)).join(', ')}`);
