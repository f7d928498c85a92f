import type { GradientTransformation } from '@frugal/tensor';
import { type Rate, toSchedule } from '../schedules/index.ts';
import { chain } from '../transforms/chain.ts';
import { addDecayedWeights, type DecayOptions } from '../transforms/decay.ts';
import { type Mask, matricesOnly } from '../transforms/mask.ts';
import { trace } from '../transforms/moments.ts';
import { type OrthogonalizationOptions, scaleByOrthogonalization } from '../transforms/orthogonalize.ts';
import { type PartitionState, partition } from '../transforms/partition.ts';
import { scaleByLearningRate } from '../transforms/scale.ts';
import { adamw } from './adam.ts';

/** Options of `muon`. */
export interface MuonOptions extends OrthogonalizationOptions, DecayOptions {
  /** Momentum, in [0, 1). Default 0.95. */
  beta?: number;
  /** Nesterov's look-ahead. Default true. */
  nesterov?: boolean;
  /** Decoupled weight decay, times the learning rate. Default 0. */
  weightDecay?: number;
  /** The parameters that are orthogonalised; leave embeddings and the last layer out. Default: all of rank ≥ 2. */
  hidden?: Mask;
  /** Moves the other parameters. Default AdamW at a tenth of the learning rate, with the same decay. */
  rest?: GradientTransformation;
}

/**
 * Muon (Jordan 2024; arXiv 2502.16982): momentum whose singular values are made equal, for the hidden matrices.
 *
 * m ← beta · m + g; p ← p − learningRate · (size · UVᵀ of (g + beta · m) + weightDecay · p).
 */
export function muon(learningRate: Rate, options: MuonOptions = {}): GradientTransformation<PartitionState> {
  const { beta = 0.95, nesterov = true, weightDecay = 0, hidden = matricesOnly, mask } = options;
  const rate = toSchedule('learningRate', learningRate);
  const matrices = chain(
    trace({ beta, nesterov }),
    scaleByOrthogonalization(options),
    addDecayedWeights(weightDecay, options),
    scaleByLearningRate(learningRate),
  );
  const others =
    options.rest ?? adamw((step) => rate(step) / 10, { weightDecay, ...(mask === undefined ? {} : { mask }) });
  return partition({ hidden: matrices, rest: others }, (path, leaf) => (hidden(path, leaf) ? 'hidden' : 'rest'));
}
