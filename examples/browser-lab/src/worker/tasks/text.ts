import { lossFunction, nextToken, softmaxCrossEntropy } from '@frugal/core-trainer';
import { charTokenizer, fetchText, splitSequence, tokenDataset } from '@frugal/datasets';
import { generate, gpt } from '@frugal/nn';
import { type Dataset, key, type LossFunction, type Module, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Config } from '../../config.ts';
import { atHome } from '../home.ts';
import type { Task } from '../task.ts';

const CONTEXT = 48;
const SAMPLE = 120;

/** Characters of Moby-Dick, one after the other. */
export async function textTask({ width, batch }: Config): Promise<Task> {
  const text = await fetchText(atHome('data/book.txt'));
  const tokenizer = charTokenizer(text);
  const { train, validation } = splitSequence(tokenizer.encode(text), 0.05);
  const model = gpt({ vocabulary: tokenizer.size, context: CONTEXT, dim: width, depth: 2, heads: 2 });
  const windows = tokenDataset(train, { context: CONTEXT, batchSize: batch });
  const objective = nextToken();
  const data: Dataset<Tree> = {
    ...windows,
    async *batches(options) {
      for await (const raw of windows.batches(options)) {
        const examples = objective.examples(raw);
        raw.tokens.dispose();
        yield examples as Tree;
      }
    },
  };
  const held = (count: number) => {
    const rows = Int32Array.from({ length: count * (CONTEXT + 1) }, (_, i) => {
      const row = Math.floor(i / (CONTEXT + 1));
      return validation[row * CONTEXT + (i % (CONTEXT + 1))]!;
    });
    return objective.examples(tf.tensor2d(rows, [count, CONTEXT + 1], 'int32')) as { x: tf.Tensor; y: tf.Tensor };
  };
  /** Nats of each character of held-out windows. */
  async function surprise(params: Tree, count: number): Promise<number[]> {
    const nats = tf.tidy(() => {
      const { x, y } = held(count);
      const logits = tf.reshape(model.apply(params as never, x), [count * CONTEXT, tokenizer.size]);
      return softmaxCrossEntropy(logits, tf.reshape(y, [count * CONTEXT]));
    });
    const values = [...(await nats.data())];
    nats.dispose();
    return values;
  }
  return {
    model: model as unknown as Module<Tree>,
    data,
    loss: lossFunction(model as unknown as Module, objective.loss) as unknown as LossFunction<Tree, Tree>,
    metric: 'certainty of held-out characters (geometric mean)',
    every: 50,
    layers: [],
    async evaluate(params) {
      const nats = await surprise(params, 16);
      return Math.exp(-nats.reduce((sum, x) => sum + x, 0) / nats.length);
    },
    async view(params) {
      const made: number[] = [];
      const prompt = [...tokenizer.encode('Call me ')];
      const options = { tokens: Math.min(SAMPLE, CONTEXT - prompt.length), temperature: 0.8, key: key(7) };
      for await (const token of generate(model as never, params as never, prompt, options)) made.push(token);
      const line = tokenizer.decode(validation.subarray(1, CONTEXT + 1));
      return { kind: 'text', sample: `Call me ${tokenizer.decode(made)}`, line, surprise: await surprise(params, 1) };
    },
    pass: (params) => tf.tidy(() => void model.apply(params as never, held(1).x)),
  };
}
