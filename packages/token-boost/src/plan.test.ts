import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isFull, planCounts } from './plan.ts';

describe('planCounts', () => {
  it('gives learner j the tokens with more than j learners, those with most first', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }).chain((learners) =>
          fc.record({
            learners: fc.constant(learners),
            counts: fc.array(fc.integer({ min: 0, max: learners }), { maxLength: 20 }),
          }),
        ),
        ({ learners, counts }) => {
          const { rows, ends, ...plan } = planCounts(counts, learners);
          expect(Array.from(plan.counts)).toEqual(counts);
          expect(ends).toHaveLength(learners);
          for (let j = 0; j < learners; j++) {
            const own = Array.from(rows.subarray(j === 0 ? 0 : ends[j - 1], ends[j]));
            const wanted = [...counts.keys()].filter((t) => counts[t]! > j);
            expect(own).toEqual(wanted.sort((a, b) => counts[b]! - counts[a]! || a - b));
          }
          expect(isFull({ ...plan, rows, ends })).toBe(counts.every((k) => k === learners));
        },
      ),
    );
  });

  it('refuses what is no count', () => {
    expect(() => planCounts([1, 3], 2)).toThrow(/counts\[1\] must be an integer between 0 and 2, got 3/);
    expect(() => planCounts([0.5], 2)).toThrow(/got 0.5/);
  });
});
