import fc from 'fast-check';
import { expect, it } from 'vitest';
import { climb } from './climb.ts';

it('finds the lowest rung of a valley from anywhere, measuring each rung once', async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: -6, max: 6 }),
    fc.integer({ min: -6, max: 6 }),
    async (start, lowest) => {
      const asked: number[] = [];
      const { pick, measured } = await climb(
        async (rung) => {
          asked.push(rung);
          return rung > lowest + 2 ? Number.POSITIVE_INFINITY : Math.abs(rung - lowest);
        },
        start,
        { limit: 40 },
      );
      expect(pick).toBe(lowest);
      expect(new Set(asked).size).toBe(asked.length);
      expect(measured.map(({ rung }) => rung)).toEqual(asked.toSorted((a, b) => a - b));
      // Above a rung that diverged nothing is measured.
      expect(asked.filter((rung) => rung > lowest + 2).every((rung, i, all) => i === 0 || rung < all[i - 1]!)).toBe(
        true,
      );
    },
  );
  await fc.assert(property, { numRuns: 60 });
});

it('looks beyond a hump with lookAhead', async () => {
  const losses = new Map([
    [-1, 5],
    [0, 4],
    [1, 4.1],
    [2, 3],
    [3, 6],
  ]);
  const measure = async (rung: number): Promise<number> => losses.get(rung) ?? 9;
  expect((await climb(measure, 0, { lookAhead: 1 })).pick).toBe(2);
  expect((await climb(measure, 0, { lookAhead: 0 })).pick).toBe(0);
});

it('does not look beyond what is hopeless', async () => {
  const asked: number[] = [];
  const measure = async (rung: number): Promise<number> => {
    asked.push(rung);
    return rung > 0 ? 8 : -rung;
  };
  const hopeless = (loss: number, best: number): boolean => loss > best + 5;
  expect((await climb(measure, 0, { lookAhead: 3, hopeless })).pick).toBe(0);
  expect(asked).toEqual([0, 1, -1]);
});

it('gives up where everything diverges', async () => {
  const { pick, measured } = await climb(async () => Number.NaN, 0, { limit: 8 });
  expect(pick).toBeUndefined();
  expect(measured).toHaveLength(8);
});
