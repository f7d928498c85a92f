import { describeEachBackend } from '@frugal/test-support';
import { describe, expect, it } from 'vitest';
import { routerContract } from '../testing/index.ts';
import { dynamicKRouter, selectDynamicK } from './dynamic-k.ts';
import { expertChoiceRouter } from './expert-choice.ts';
import { noisyTopKRouter } from './noisy-top-k.ts';
import { normRouter } from './norm.ts';
import { selectTopK, topKRouter } from './top-k.ts';

const routers = {
  'top-1': (dim: number, experts: number) => topKRouter(dim, experts, { k: 1 }),
  'top-2, normalised, jitter': (dim: number, experts: number) => topKRouter(dim, experts, { jitter: 0.1 }),
  'top-3, sigmoid': (dim: number, experts: number) =>
    topKRouter(dim, experts, { k: 3, score: 'sigmoid', normalize: false }),
  'noisy top-2': (dim: number, experts: number) => noisyTopKRouter(dim, experts),
  'expert choice': (dim: number, experts: number) => expertChoiceRouter(dim, experts, { capacityFactor: 1.5 }),
  'dynamic k by mass': (dim: number, experts: number) => dynamicKRouter(dim, experts),
  'dynamic k by maximum, normalised': (dim: number, experts: number) =>
    dynamicKRouter(dim, experts, { rule: 'max', normalize: true }),
  'dynamic k, sigmoid': (dim: number, experts: number) => dynamicKRouter(dim, experts, { score: 'sigmoid' }),
  'norms by tau': (dim: number, experts: number) => normRouter(dim, experts, { tau: 0.5 }),
  'norms, top-2': (dim: number, experts: number) => normRouter(dim, experts, { k: 2 }),
};

for (const [name, make] of Object.entries(routers)) {
  describeEachBackend(`the router ${name}`, () => {
    for (const { name, run } of routerContract(make)) it(name, run);
  });
}

const logits = Float32Array.of(Math.log(6), Math.log(3), Math.log(1), /**/ Math.log(1), Math.log(3), Math.log(6));

describe('the choice', () => {
  const rule = { tokens: 2, experts: 3, k: 2, score: 'softmax', normalize: true } as const;
  const rounded = (gates: Float32Array): number[] => Array.from(gates, (gate) => Math.round(gate * 1e5) / 1e5);

  it('of the k largest, with gates that sum to 1', () => {
    const { slots, gates } = selectTopK(logits, rule);
    expect(Array.from(slots)).toEqual([0, 1, 4, 5]);
    expect(rounded(gates)).toEqual([0.66667, 0.33333, 0.33333, 0.66667]);
    expect(rounded(selectTopK(logits, { ...rule, normalize: false }).gates)).toEqual([0.6, 0.3, 0.3, 0.6]);
  });

  it('is moved by the bias, the gates are not', () => {
    const { slots, gates } = selectTopK(logits, { ...rule, k: 1, normalize: false }, { bias: [0, 0, 0.6] });
    expect(Array.from(slots)).toEqual([2, 5]);
    expect(rounded(gates)).toEqual([0.1, 0.6]);
  });

  it('by share or by the largest, for any tau', () => {
    const count = (rule: 'mass' | 'max', tau: number): number =>
      selectDynamicK(logits.slice(0, 3), { experts: 3, rule, score: 'softmax', tau }).slots.length;
    // Scores .6, .3, .1
    expect([0, 0.55, 0.65, 0.85, 0.95, 1].map((tau) => count('mass', tau))).toEqual([1, 1, 2, 2, 3, 3]);
    expect([0, 0.45, 0.55, 0.8, 0.85, 1].map((tau) => count('max', tau))).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it('of the experts gives each the same load', () => {
    const router = expertChoiceRouter(4, 3, { capacityFactor: 1 });
    const many = Float32Array.from({ length: 30 }, (_, i) => Math.sin(i * i));
    const { slots } = router.select(many, 10);
    expect([0, 1, 2].map((e) => slots.filter((slot) => slot % 3 === e).length)).toEqual([4, 4, 4]);
  });

  it('refuses options that cannot be', () => {
    expect(() => topKRouter(4, 2, { k: 3 })).toThrow(/k must be an integer of at least 1 and at most 2, got 3/);
    expect(() => dynamicKRouter(4, 2, { tau: 2 })).toThrow(/tau must be a number of at least 0 and at most 1/);
    expect(() => dynamicKRouter(4, 2).select(new Float32Array(2), 1, { tau: -1 })).toThrow(/tau must be/);
  });
});
