import { nextToken, softmaxCrossEntropy } from '@frugal/core-trainer';
import { charTokenizer, fetchText, splitSequence, tokenDataset } from '@frugal/datasets';
import {
  type ExitModel,
  exitLoss,
  maxProbability,
  plainHead,
  runTokenExits,
  tokenCosts,
  withExits,
} from '@frugal/early-exit';
import { dense, generate, gpt, layerNorm, sequential } from '@frugal/nn';
import { type Dataset, key, type LossFunction, type Module, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { atHome } from '../home.ts';
import type { MakeTask } from '../task.ts';

const CONTEXT = 48;
const SAMPLE = 120;
/** Held-out windows that the certainty is measured on. */
const HELD = 16;

/** Characters of Moby-Dick, one after the other. Each may leave before the blocks, or after the first. */
export const textTask: MakeTask = async ({ width, batch }, knobs) => {
  const text = await fetchText(atHome('data/book.txt.gz'));
  const tokenizer = charTokenizer(text);
  const { train, validation } = splitSequence(tokenizer.encode(text), 0.05);
  const feedForward = { activation: 'relu' } as const;
  const backbone = gpt({ vocabulary: tokenizer.size, context: CONTEXT, dim: width, depth: 2, heads: 2, feedForward });
  const head = () =>
    plainHead(sequential([layerNorm(width), dense(width, tokenizer.size)] as const) as unknown as Module<Tree>);
  const model = withExits(backbone as unknown as Staged<Tree>, [
    { at: 1, head: head() },
    { at: 2, head: head() },
  ]) as ExitModel;
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
  /** Nats of each character that `logits` of held-out windows were asked for. */
  async function natsOf(logits: tf.Tensor, count: number): Promise<number[]> {
    const nats = tf.tidy(() => {
      const flat = tf.reshape(logits, [count * CONTEXT, tokenizer.size]);
      return softmaxCrossEntropy(flat, tf.reshape(held(count).y, [count * CONTEXT]));
    });
    const values = [...(await nats.data())];
    nats.dispose();
    return values;
  }

  return {
    model: model as unknown as Module<Tree>,
    data,
    loss: exitLoss(model, objective.loss as never, { weights: [0.2, 0.3, 1] }) as unknown as LossFunction<Tree, Tree>,
    metric: 'certainty of new characters',
    goal: 0.1,
    every: 50,
    layers: ['block 1', 'block 2'],
    async evaluate(params) {
      const logits = tf.tidy(() => model.apply(params as never, held(HELD).x));
      const nats = await natsOf(logits, HELD);
      logits.dispose();
      return Math.exp(-nats.reduce((sum, x) => sum + x, 0) / nats.length);
    },
    async view(params) {
      const made: number[] = [];
      const prompt = [...tokenizer.encode('Call me ')];
      const options = { tokens: Math.min(SAMPLE, CONTEXT - prompt.length), temperature: 0.8, key: key(7) };
      const whole = (params as { backbone: never }).backbone;
      for await (const token of generate(backbone, whole, prompt, options)) made.push(token);
      const { x, y } = held(1);
      const costs = tokenCosts(model, params as never, x);
      const run = await runTokenExits(model, params as never, x, {
        policy: maxProbability([knobs.sure, knobs.sure]),
        costs,
      });
      const surprise = await natsOf(run.output, 1);
      tf.dispose([x, y, run.output]);
      return {
        kind: 'text',
        sample: `Call me ${tokenizer.decode(made)}`,
        line: tokenizer.decode(validation.subarray(1, CONTEXT + 1)),
        surprise,
        cost: run.cost,
        full: costs.stages.reduce((sum, { base, row }) => sum + base + row, 0),
      };
    },
    pass: (params) => tf.tidy(() => void model.apply(params as never, held(1).x)),
  };
};
