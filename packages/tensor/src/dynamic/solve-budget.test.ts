import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { solveBudget } from './solve-budget.ts';

describe('solveBudget', () => {
  it('finds the knob of any rising cost, in few evaluations', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0.2, max: 6, noNaN: true }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        async (power, share) => {
          let evaluations = 0;
          const costOf = async (knob: number): Promise<number> => {
            evaluations++;
            return 10 + 90 * knob ** power;
          };
          const target = 10 + 90 * share;
          const { knob, cost } = await solveBudget(costOf, target, { low: 0, high: 1 });
          expect(Math.abs(cost - target) / target).toBeLessThan(0.005);
          expect(cost).toBe(10 + 90 * knob ** power);
          expect(evaluations).toBeLessThanOrEqual(20);
        },
      ),
    );
  });

  it('gives the nearest of a staircase, and says what cannot be', async () => {
    const stairs = async (knob: number): Promise<number> => 10 * (1 + Math.floor(4 * knob));
    const { cost } = await solveBudget(stairs, 28, { low: 0, high: 0.99 });
    expect(cost).toBe(30);
    await expect(solveBudget(stairs, 5, { low: 0, high: 0.99 })).rejects.toThrow(/must lie in \[10, 40\].*got 5/s);
  });
});
