import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hypervolume, paretoFront } from './pareto.ts';

const points = (dimensions: number) =>
  fc.array(fc.array(fc.nat(5), { minLength: dimensions, maxLength: dimensions }), { maxLength: 12 });

/** The volume by counting the cells of the integer grid below `corner` that some point covers. */
function cells(list: number[][], corner: number[]): number {
  let count = 0;
  const visit = (cell: number[]): void => {
    if (cell.length === corner.length) {
      if (list.some((point) => point.every((value, d) => value <= cell[d]!))) count++;
      return;
    }
    for (let c = 0; c < corner[cell.length]!; c++) visit([...cell, c]);
  };
  visit([]);
  return count;
}

describe('paretoFront', () => {
  it('keeps exactly the points that none beats', () => {
    for (const dimensions of [1, 2, 3]) {
      fc.assert(
        fc.property(points(dimensions), (list) => {
          const beaten = (b: number[]) =>
            list.some((a) => a.every((v, d) => v <= b[d]!) && a.some((v, d) => v < b[d]!));
          const expected = list.flatMap((point, i) => (beaten(point) ? [] : [i]));
          expect(paretoFront(list).sort((a, b) => a - b)).toEqual(expected);
        }),
      );
    }
  });

  it('takes cost and accuracy, cheapest first', () => {
    const runs = [
      [10, 0.9],
      [5, 0.8],
      [7, 0.7],
      [5, 0.8],
      [20, 0.95],
    ];
    expect(paretoFront(runs, { directions: ['min', 'max'] })).toEqual([1, 3, 0, 4]);
    expect(paretoFront([])).toEqual([]);
    expect(() => paretoFront([[1, 2], [1]])).toThrow(/points\[1\] must be 2 numbers/);
    expect(() => paretoFront([[1, Number.NaN]])).toThrow(/points\[0\]/);
    expect(() => paretoFront([[1, 2]], { directions: ['min'] })).toThrow(/directions must be one per objective/);
  });
});

describe('hypervolume', () => {
  it('is the number of covered cells', () => {
    for (const dimensions of [1, 2, 3, 4]) {
      fc.assert(
        fc.property(points(dimensions), (list) => {
          const corner = Array(dimensions).fill(5);
          expect(hypervolume(list, corner)).toBe(cells(list, corner));
        }),
        { numRuns: 40 },
      );
    }
  });

  it('takes directions', () => {
    expect(hypervolume([[1, 0.75]], [3, 0.25], { directions: ['min', 'max'] })).toBe(1);
    expect(hypervolume([[4, 0.9]], [3, 0.25], { directions: ['min', 'max'] })).toBe(0);
    expect(() => hypervolume([[1]], [3, 3])).toThrow(/points\[0\] must be 2 numbers/);
  });
});
