// The character model with exits of `bench speculate`, and the book that it reads.
import { softmaxCrossEntropy } from '@frugal/core-trainer';
import { type CharTokenizer, charTokenizer, splitSequence, tokenDataset } from '@frugal/datasets';
import { type ExitModel, type ExitParams, plainHead, withExits } from '@frugal/early-exit';
import { dense, type Gpt, gpt, layerNorm, sequential } from '@frugal/nn';
import { key } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

export const context = 64;

/** The book in characters; the last twentieth is for testing. */
export function bookOf(text: string): { tokenizer: CharTokenizer; train: Int32Array; test: Int32Array } {
  const tokenizer = charTokenizer(text);
  const { train, validation } = splitSequence(tokenizer.encode(text), 0.05);
  return { tokenizer, train, test: validation };
}

/** Six blocks of 128, exits after the first, second and fourth. */
export function exitGpt(vocabulary: number): { backbone: Gpt; model: ExitModel } {
  const dim = 128;
  const backbone = gpt({
    ...{ vocabulary, context, dim, depth: 6, heads: 4 },
    feedForward: { activation: 'relu' },
  });
  const head = () => plainHead(sequential({ norm: layerNorm(dim), out: dense(dim, vocabulary) }));
  const exits = [2, 3, 5].map((at) => ({ at, head: head() }));
  return { backbone, model: withExits(backbone, exits) as unknown as ExitModel };
}

/** The mean loss of every exit on a text, in nats a character, the full model last. */
export async function lossOf(model: ExitModel, params: ExitParams<never>, text: Int32Array): Promise<number[]> {
  const data = tokenDataset(text, { context, batchSize: 32, shuffle: false });
  const sums: number[] = [];
  let windows = 0;
  for await (const { tokens } of data.batches({ key: key(0), epoch: 0 })) {
    const losses = tf.tidy(() => {
      const [x, y] = [0, 1].map((from) => tf.slice(tokens, [0, from], [tokens.shape[0], context]));
      return model.outputs(params, x!).map((logits) => tf.sum(softmaxCrossEntropy(logits, y!)));
    });
    for (const [i, loss] of losses.entries()) sums[i] = (sums[i] ?? 0) + (await loss.data())[0]!;
    windows += tokens.shape[0];
    tf.dispose([losses, tokens]);
  }
  return sums.map((sum) => sum / windows);
}
