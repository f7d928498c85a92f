import { adamw, cosine, lossFunction, nextToken, train } from '@frugal/core-trainer';
import { type CharTokenizer, charTokenizer, splitSequence, type TokenBatch, tokenDataset } from '@frugal/datasets';
import { atMost, count, type ExampleOptions, type Io, type Target } from '@frugal/example-support';
import { type Gpt, type GptParams, gpt } from '@frugal/nn';
import { type Dataset, fillUniform, foldIn, type Key, key, treeSize } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

const context = 64;
const sizes = {
  full: { steps: 2000, peak: 0.006, target: 2 },
  quick: { steps: 300, peak: 0.006, target: 2.8 },
};

const objective = nextToken();

/** The mean loss in nats per character. */
async function lossOf(model: Gpt, params: GptParams, data: Dataset<TokenBatch>): Promise<number> {
  let total = 0;
  let windows = 0;
  for await (const batch of data.batches({ key: key(0), epoch: 0 })) {
    const sum = tf.tidy(() => {
      const { x, y } = objective.examples(batch);
      return tf.sum(objective.loss(model.apply(params, x), y));
    });
    total += (await sum.data())[0]!;
    windows += batch.tokens.shape[0];
    tf.dispose([sum, batch]);
  }
  return total / windows;
}

/** The entry that `u` in [0, 1) falls on, where entries lie side by side, as long as their chances. */
function pick(chances: ArrayLike<number>, u: number): number {
  let end = 0;
  for (let i = 0; i < chances.length; i++) {
    end += chances[i]!;
    if (u < end) return i;
  }
  return chances.length - 1;
}

/** Lets the model write: each character is drawn from what it expects after the last `context` ones. */
async function write(
  model: Gpt,
  params: GptParams,
  tokenizer: CharTokenizer,
  start: string,
  draw: Key,
): Promise<string> {
  const tokens = Array.from(tokenizer.encode(start));
  const luck = new Float32Array(300);
  fillUniform(draw, luck);
  for (const u of luck) {
    const chances = tf.tidy(() => {
      const ids = tf.tensor2d([tokens.slice(-context)], undefined, 'int32');
      const logits = model.apply(params, ids); // [1, T, vocabulary]
      const last = tf.slice(logits, [0, ids.shape[1] - 1, 0], [1, 1, -1]);
      return tf.softmax(tf.div(tf.reshape(last, [-1]), 0.8));
    });
    const values = await chances.data();
    chances.dispose();
    tokens.push(pick(values, u));
  }
  return tokenizer.decode(tokens);
}

/** The same objective, loss and gradient as for the sentence; a larger network, and Moby-Dick instead of Ala. */
export async function runBook(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const { steps, peak, target } = options.quick ? sizes.quick : sizes.full;
  await io.start(options.backend);
  const book = await io.book();
  const tokenizer = charTokenizer(book);
  const { train: read, validation } = splitSequence(tokenizer.encode(book), 0.05);
  const model = gpt({ vocabulary: tokenizer.size, context, dim: 64, depth: 2, heads: 4 });
  const seed = key(options.seed);
  const held = tokenDataset(validation.subarray(0, 20_000), { context, batchSize: 32, shuffle: false });
  io.print(
    `\nThe same again with a book: ${count(book.length)} characters of Moby-Dick, ${tokenizer.size} different ones.`,
  );

  const loss = lossFunction(model, objective.loss);
  const run = train({
    model,
    // What to say next is found in the text itself, as before.
    loss: (params: GptParams, batch: TokenBatch, ctx) => loss(params, objective.examples(batch), ctx),
    optimizer: adamw(cosine(peak, { warmup: 50, steps }), { weightDecay: 0.1 }),
    data: tokenDataset(read, { context, batchSize: 16 }),
    key: foldIn(seed, 1),
    steps,
    listeners: [io.progress()],
  });
  const { params, optimizer, state } = await run.result;
  const nats = await lossOf(model, params, held);
  io.print(`\n${count(treeSize(params))} parameters after ${count(steps)} corrections. It writes:\n`);
  io.print(await write(model, params, tokenizer, 'Call me ', foldIn(seed, 2)));
  tf.dispose([params, optimizer, state] as tf.TensorContainer);
  return [atMost('loss on pages it has not read, in nats a character', nats, target, (value) => value.toFixed(3))];
}
