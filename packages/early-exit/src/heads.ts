import type { Context, Key, Module, Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { stopGradient } from './stop-gradient.ts';

/** Answers from an intermediate activation: logits [B, classes], or [B, T, classes] for each token of a sequence. */
export interface ExitHead<P extends Tree = Tree> {
  /** Whether it never looks at `previous`: logits then need not stay on the device. Default false. */
  readonly alone?: boolean;
  init(key: Key): P;
  /**
   * @param h The activation at the exit's point, [B, …].
   * @param previous The logits of the exit before, where there is one.
   */
  apply(params: P, h: tf.Tensor, previous: tf.Tensor | undefined, ctx?: Context): tf.Tensor;
}

/** A head that answers from the activation alone. */
export function plainHead<P extends Tree>(module: Module<P>): ExitHead<P> {
  return {
    alone: true,
    init: (key) => module.init(key),
    apply: (params, h, _, ctx) => module.apply(params, h, ctx),
  };
}

/**
 * A head that also sees what the exit before said: module([flatten(h), previous logits]).
 *
 * No gradient flows back into the earlier head, so a later one cannot spoil it (Zero Time Waste, arXiv 2106.05409). The
 * module takes the features of `h` and `classes` more; the first exit sees zeros.
 *
 * @param options With `tokens` there is an answer for each token: `h` [B, T, d] then stays as it is. Default false.
 */
export function cascadedHead<P extends Tree>(
  module: Module<P>,
  classes: number,
  options: { readonly tokens?: boolean } = {},
): ExitHead<P> {
  const { tokens = false } = options;
  return {
    init: (key) => module.init(key),
    apply: (params, h, previous, ctx) =>
      tf.tidy(() => {
        const features = tokens ? h : tf.reshape(h, [h.shape[0]!, -1]);
        const rows = features.shape.slice(0, -1);
        const before = previous === undefined ? tf.zeros([...rows, classes]) : stopGradient(previous);
        return module.apply(params, tf.concat([features, before], rows.length), ctx);
      }),
  };
}

/**
 * A head that corrects the exit before: previous logits + module(h), each learning what is left to learn.
 *
 * No gradient flows into the earlier logits (BoostNet, arXiv 2211.16726).
 */
export function boostedHead<P extends Tree>(module: Module<P>): ExitHead<P> {
  return {
    init: (key) => module.init(key),
    apply: (params, h, previous, ctx) =>
      tf.tidy(() => {
        const own = module.apply(params, h, ctx);
        return previous === undefined ? own : tf.add(stopGradient(previous), own);
      }),
  };
}
