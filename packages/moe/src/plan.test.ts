import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planDispatch } from './plan.ts';

/** Random pairs with gates. */
const selections = fc
  .record({ tokens: fc.integer({ min: 0, max: 12 }), experts: fc.integer({ min: 1, max: 6 }) })
  .chain(({ tokens, experts }) =>
    fc.record({
      tokens: fc.constant(tokens),
      experts: fc.constant(experts),
      chosen: fc.array(fc.boolean(), { minLength: tokens * experts, maxLength: tokens * experts }),
    }),
  )
  .map(({ tokens, experts, chosen }) => {
    const slots = Int32Array.from(chosen.flatMap((yes, slot) => (yes ? [slot] : [])));
    return {
      tokens,
      experts,
      selection: { slots, gates: Float32Array.from(slots, (slot) => 1 / (1 + ((slot * 7) % 11))) },
    };
  });

describe('planDispatch', () => {
  it('sorts all pairs by expert, then by token, with their gates', () => {
    fc.assert(
      fc.property(selections, ({ tokens, experts, selection }) => {
        const plan = planDispatch(selection, { tokens, experts });
        const gateOf = new Map(Array.from(selection.slots, (slot, i) => [slot, selection.gates[i]]));
        const byExpert = Array.from(selection.slots).sort((a, b) => (a % experts) - (b % experts) || a - b);
        expect(Array.from(plan.slots)).toEqual(byExpert);
        expect(Array.from(plan.rows)).toEqual(byExpert.map((slot) => Math.floor(slot / experts)));
        expect(Array.from(plan.gates)).toEqual(byExpert.map((slot) => gateOf.get(slot)));
        const ends = Array.from({ length: experts }, (_, e) => byExpert.filter((slot) => slot % experts <= e).length);
        expect(plan.ends).toEqual(ends);
      }),
    );
  });

  it('never exceeds a capacity, and drops only where it is reached', () => {
    fc.assert(
      fc.property(
        selections,
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.constantFrom('first' as const, 'largest' as const),
        (all, factor, keep) => {
          const { tokens, experts, selection } = all;
          const plan = planDispatch(selection, { tokens, experts, capacity: { factor, keep } });
          const limit = Math.ceil((factor * selection.slots.length) / experts);
          for (let e = 0; e < experts; e++) {
            const wanted = selection.slots.filter((slot) => slot % experts === e).length;
            expect(plan.ends[e]! - (plan.ends[e - 1] ?? 0)).toBe(Math.min(wanted, limit));
          }
          expect(plan.chosen).toEqual(selection.slots);
        },
      ),
    );
  });

  it('keeps the first tokens, or the largest gates', () => {
    const selection = { slots: Int32Array.of(0, 2, 4, 6), gates: Float32Array.of(0.1, 0.4, 0.3, 0.2) };
    const shape = { tokens: 4, experts: 2 };
    // One expert has all 4 pairs; ⌈1 · 4 ÷ 2⌉ = 2 may stay.
    expect(Array.from(planDispatch(selection, { ...shape, capacity: { factor: 1 } }).rows)).toEqual([0, 1]);
    const largest = planDispatch(selection, { ...shape, capacity: { factor: 1, keep: 'largest' } });
    expect(Array.from(largest.rows)).toEqual([1, 2]);
  });

  it('refuses what is no selection', () => {
    const shape = { tokens: 2, experts: 2 };
    const plan =
      (slots: number[], gates = slots) =>
      () =>
        planDispatch({ slots: Int32Array.from(slots), gates: Float32Array.from(gates) }, shape);
    expect(plan([1, 1])).toThrow(/slots\[1\] must be above 1/);
    expect(plan([4])).toThrow(/below tokens · experts = 4, got 4/);
    expect(plan([0, 1], [1])).toThrow(/a gate for each of its 2 slots, got 1/);
  });
});
