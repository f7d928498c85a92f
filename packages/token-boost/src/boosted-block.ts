import type { Module } from '@frugal/tensor';
import { type BoostLayer, type BoostOptions, tokenBoost } from './boost.ts';
import { checkNumber } from './check.ts';
import { type Gate, mlpGate } from './gate.ts';

/** Options of `boostedBlock`. */
export interface BoostedBlockOptions extends Pick<BoostOptions, 'activation' | 'temperature'> {
  /** Of each layer. Default 4. */
  learners?: number;
  /** Hidden width of the feed-forward network ÷ dim. Default 4. */
  mlpRatio?: number;
  /** Whether the projections of attention are boosted too. Default true. */
  projections?: boolean;
  /** Makes the gate of a layer. Default `mlpGate(dim, learners, { min })`. */
  gate?: (dim: number, learners: number, min: number) => Gate;
}

/** What `transformerBlock`, `vit` and `gpt` of `@frugal/nn` take as options of a block. */
export interface BoostedBlock {
  readonly mlp: BoostLayer;
  readonly attention?: {
    readonly linear: (inFeatures: number, outFeatures: number, name: string) => Module<never>;
  };
}

/**
 * Boosted layers for a transformer block, in place of its feed-forward network and of the projections of its attention:
 *
 *     const model = vit({ dim: 64, block: () => boostedBlock(64) });
 *
 * Every layer costs with all its learners what the one it stands for costs. A projection in → out is linear, so its learners
 * have in · out ÷ (in + out) hidden units in all; it has no residual of its own, so at least one learner runs.
 *
 * @param dim Width of a token.
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function boostedBlock(dim: number, options: BoostedBlockOptions = {}): BoostedBlock {
  const { learners = 4, mlpRatio = 4, projections = true, activation = 'gelu', temperature } = options;
  const gate = options.gate ?? ((dim, learners, min) => mlpGate(dim, learners, { min }) as Gate);
  const rest = { activation, ...(temperature !== undefined && { temperature }) };
  const units = Math.round(dim * mlpRatio);
  checkNumber('boostedBlock: units of the feed-forward network ÷ learners', units / learners, { min: 1, whole: true });
  const mlp = tokenBoost(gate(dim, learners, 0), dim, units / learners, rest);
  if (!projections) return { mlp };
  const linear = (inFeatures: number, outFeatures: number): Module<never> => {
    const hidden = Math.max(1, Math.round((inFeatures * outFeatures) / (inFeatures + outFeatures) / learners));
    // `nn` types its blocks for dense projections; the tree of this one is a `BoostParams`.
    const layer = tokenBoost(gate(inFeatures, learners, 1), inFeatures, hidden, { ...rest, out: outFeatures });
    return layer as unknown as Module<never>;
  };
  return { mlp, attention: { linear } };
}
