import { createState, FrugalError, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ExitModel, ExitParams } from '../exit-model.ts';
import { argMax } from '../policies/confidence.ts';
import type { ExitPolicy, Scorer } from '../policies/index.ts';
import { checkThresholds } from '../run-exits.ts';
import { type CacheTools, idsOf, openDecoder } from './cached-model.ts';

/** Options of `decodeEarly`. */
export interface DecodeEarlyOptions {
  readonly policy: ExitPolicy;
  /** How many tokens to make. */
  readonly tokens: number;
  /** `{ openCache, truncateCache }` of `@frugal/nn`. */
  readonly cache: CacheTools;
}

/** A token and the exit that said it. */
export interface EarlyToken {
  readonly token: number;
  readonly exit: number;
}

const none = new Int32Array(0);

/**
 * Continues a text, each token leaving the model as soon as the policy is sure enough (CALM, arXiv 2207.07061).
 *
 * Later tokens attend to every position in every block: the hidden state of a token that has left is copied forward, and
 * the blocks it skips only store its keys and values.
 *
 * @param prompt Ids to continue, at least one; it runs through the whole model.
 * @throws {FrugalError} `BAD_OPTION` for a model without caches or blocks that cannot be skipped, a policy for another
 *   number of exits, a text longer than the model's context.
 */
export async function* decodeEarly<P extends Tree>(
  model: ExitModel<P>,
  params: ExitParams<P>,
  prompt: readonly number[],
  { policy, tokens, cache }: DecodeEarlyOptions,
): AsyncGenerator<EarlyToken, void> {
  const last = model.exitCount - 1;
  checkThresholds(policy, last);
  const { stages } = model.backbone;
  // The last stage answers, and keeps nothing.
  const skippable = stages.slice(model.points[0], -1);
  if (model.points[0]! < 2 || skippable.some(({ applySome }) => applySome === undefined)) {
    throw new FrugalError(
      'BAD_OPTION',
      'decodeEarly: every block behind the first exit must be skippable (applySome), and the first exit stand behind a ' +
        'block. Take a gpt of @frugal/nn.',
    );
  }
  const state = createState();
  let h: tf.Tensor | undefined;
  let previous: tf.Tensor | undefined;
  const free = (): void => {
    tf.dispose([h, previous].filter((tensor) => tensor !== undefined));
    [h, previous] = [undefined, undefined];
  };
  try {
    const { run, ctx } = openDecoder('decodeEarly', model, params, { prompt, tokens, cache, state });
    let next = prompt;
    for (let made = 0; made < tokens; made++) {
      const ids = idsOf(next);
      h = ids;
      let scorer: Scorer | undefined;
      for (let exit = 0; ; exit++) {
        const from = h;
        h = run(from, model.points[exit - 1] ?? 0, model.points[exit]!);
        from.dispose();
        // A prompt has nothing to leave early for: only its last token is answered.
        if (made === 0 && exit < last) continue;
        const logits: tf.Tensor = exit === last ? h.clone() : model.answer(params, exit, h, previous, ctx);
        previous?.dispose();
        previous = logits;
        const [, positions, classes] = logits.shape as [number, number, number];
        const values = new Float32Array((await logits.data()) as Float32Array).subarray((positions - 1) * classes);
        if (exit < last) {
          scorer ??= policy.start(1, classes);
          if (!(scorer.score(exit, values, Int32Array.of(0))[0]! >= policy.thresholds[exit]!)) continue;
          for (const stage of stages.slice(model.points[exit], -1)) {
            stage.applySome!(params.backbone, h, none, ctx).dispose();
          }
        }
        const token = argMax(values);
        free();
        yield { token, exit };
        next = [token];
        break;
      }
    }
  } finally {
    free();
    state.dispose();
  }
}
