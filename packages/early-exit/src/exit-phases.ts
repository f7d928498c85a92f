import { FrugalError, type Labelled, type LossFunction, type Tree } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import { type ExitLossOptions, exitLoss } from './exit-loss.ts';
import type { ExitModel, ExitParams } from './exit-model.ts';

/** Options of `exitPhases`. */
export interface ExitPhasesOptions extends Omit<ExitLossOptions, 'regime'> {
  /**
   * - `'mixed'`: the backbone, then everything;
   * - `'disjoint'`: the backbone, then the heads alone;
   * - `'joint'`: everything from the start.
   *
   * Default `'mixed'`, which was best on images and transformers in arXiv 2407.14320 (a LeNet on MNIST hardly tells them apart).
   */
  readonly regime?: 'mixed' | 'joint' | 'disjoint';
  /** Share of the training that the backbone gets alone, in (0, 1). Default 0.5. */
  readonly backbone?: number;
}

/** A stretch of training: go on from the parameters of the one before. */
export interface ExitPhase<P extends Tree> {
  readonly name: 'backbone' | 'joint' | 'disjoint';
  readonly loss: LossFunction<ExitParams<P> & Tree, Labelled>;
  /** Of all steps; the shares of a regime add up to 1. */
  readonly share: number;
}

/**
 * How a model with exits is trained: losses, one after the other.
 *
 * @param loss One value per example from logits and targets, e.g. `softmaxCrossEntropy`.
 * @throws {FrugalError} `BAD_OPTION` if the backbone's share is out of range, or as `exitLoss`.
 */
export function exitPhases<P extends Tree>(
  model: ExitModel<P>,
  loss: (logits: tf.Tensor, y: tf.Tensor) => tf.Tensor1D,
  options: ExitPhasesOptions = {},
): readonly ExitPhase<P>[] {
  const { regime = 'mixed', backbone = 0.5, ...rest } = options;
  if (!(backbone > 0 && backbone < 1)) {
    throw new FrugalError('BAD_OPTION', `exitPhases: backbone must lie between 0 and 1, got ${backbone}.`);
  }
  const phase = (name: ExitPhase<P>['name'], share: number): ExitPhase<P> => ({
    ...{ name, share },
    loss: exitLoss(model, loss, { ...rest, regime: name }),
  });
  if (regime === 'joint') return [phase('joint', 1)];
  return [phase('backbone', backbone), phase(regime === 'mixed' ? 'joint' : 'disjoint', 1 - backbone)];
}
