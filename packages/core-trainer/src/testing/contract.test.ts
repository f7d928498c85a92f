import { describeEachBackend } from '@frugal/test-support';
import { describe, it } from 'vitest';
import * as ours from '../optimizers/index.ts';
import type { Rate } from '../schedules/index.ts';
import {
  addDecayedWeights,
  chain,
  clipAdaptively,
  clipByGlobalNorm,
  clipByValue,
  ema,
  masked,
  matricesOnly,
  partition,
  reduceOnPlateau,
  withAverage,
} from '../transforms/index.ts';
import type { MakeOptimizer } from './check.ts';
import { type OptimizerContractOptions, optimizerContract } from './contract.ts';

const still = (peak: number): Rate => peak;

const optimizers: Record<string, [MakeOptimizer, OptimizerContractOptions?]> = {
  sgd: [(rate) => ours.sgd(rate), { decay: still, rates: { Rosenbrock: 2e-3 } }],
  momentum: [(rate) => ours.momentum(rate), { learningRate: 0.05, rates: { Rosenbrock: 1e-3 } }],
  nesterov: [(rate) => ours.nesterov(rate), { learningRate: 0.05, rates: { Rosenbrock: 1e-3 } }],
  adam: [(rate) => ours.adam(rate)],
  adamw: [(rate) => ours.adamw(rate, { weightDecay: 1e-3 })],
  nadamw: [(rate) => ours.nadamw(rate, { weightDecay: 1e-3 })],
  lion: [(rate) => ours.lion(rate), { learningRate: 0.05 }],
  adafactor: [(rate) => ours.adafactor(rate, { relative: false, minFactored: 2 })],
  muon: [(rate) => ours.muon(rate, { rest: ours.adam(rate) })],
  'schedule-free adamw': [
    (rate) => ours.scheduleFree(chain(ours.adam(rate, { beta1: 0 })), rate),
    { decay: still, rates: { Rosenbrock: 0.2 } },
  ],
  prodigy: [(rate) => ours.prodigy(rate, { distance0: 1e-2 }), { learningRate: 1 }],
};

/** Wrapped optimizers; of the problems only the mixed tree. */
const wrapped: Record<string, [MakeOptimizer, OptimizerContractOptions?]> = {
  'clipped by norm': [(rate) => chain(clipByGlobalNorm(1), ours.adam(rate))],
  'clipped by value': [(rate) => chain(clipByValue(1), ours.momentum(rate))],
  'clipped adaptively': [(rate) => chain(clipAdaptively(1, { epsilon: 0.1 }), ours.sgd(rate)), { decay: still }],
  'updates averaged': [(rate) => chain(ema(0.9), ours.sgd(rate))],
  'parameters averaged': [(rate) => withAverage(ours.adam(rate), { decay: 0.9 })],
  'reduced on a plateau': [
    (rate) => chain(ours.sgd(rate), reduceOnPlateau({ factor: 0.5, patience: 2, window: 3 })),
    { decay: still },
  ],
  'in two groups': [
    (rate) => partition({ a: ours.adam(rate), b: ours.lion(rate) }, (_, p) => (p.rank > 1 ? 'a' : 'b')),
    { learningRate: 0.05 },
  ],
  'partly decayed': [(rate) => chain(masked(addDecayedWeights(1e-3), matricesOnly), ours.adam(rate))],
};

describeEachBackend('the contract holds for', () => {
  for (const [name, [make, options]] of Object.entries(optimizers)) {
    describe(name, () => {
      for (const check of optimizerContract(make, options)) it(check.name, check.run);
    });
  }

  for (const [name, [make, options]] of Object.entries(wrapped)) {
    const checks = optimizerContract(make, options);
    describe(name, () => {
      for (const check of checks.filter((rule) => !/parabola|Rosenbrock|matrix/.test(rule.name)))
        it(check.name, check.run);
    });
  }
});
