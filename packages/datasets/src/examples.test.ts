import { describe, expect, test } from 'vitest';
import { type Examples, examplesFromIdx, splitExamples, subset, takeRows } from './examples.ts';

const key = { hi: 1, lo: 2 };

/** Row i holds (i, −i); class i mod 3. */
function numbered(size: number): Examples<Float32Array, Uint8Array> {
  const x = Float32Array.from({ length: 2 * size }, (_, i) => (i % 2 === 0 ? i / 2 : -(i - 1) / 2));
  return { size, x, shape: [2], y: Uint8Array.from({ length: size }, (_, i) => i % 3), targetShape: [], classes: 3 };
}

function rowsOf({ x, y, size }: Examples): number[] {
  return Array.from({ length: size }, (_, i) => {
    expect(x[2 * i + 1]).toBe(-x[2 * i]!);
    expect(y[i]).toBe(x[2 * i]! % 3);
    return x[2 * i]!;
  });
}

test('takeRows copies inputs and targets together', () => {
  expect(rowsOf(takeRows(numbered(9), Int32Array.of(8, 0, 8)))).toEqual([8, 0, 8]);
  expect(() => takeRows(numbered(9), Int32Array.of(9))).toThrow(/rows hold 9. There are rows 0 to 8/);
});

describe('subset', () => {
  test('is seeded, without repetition, and differs between keys', () => {
    const first = rowsOf(subset(numbered(300), 50, { key }));
    expect(new Set(first).size).toBe(50);
    expect(rowsOf(subset(numbered(300), 50, { key }))).toEqual(first);
    expect(rowsOf(subset(numbered(300), 50, { key: { hi: 1, lo: 3 } }))).not.toEqual(first);
  });

  test('balanced takes as many of each class', () => {
    const { y } = subset(numbered(300), 31, { key, balanced: true });
    expect([0, 1, 2].map((c) => y.filter((label) => label === c).length)).toEqual([11, 10, 10]);
    const skewed = { ...numbered(300), y: new Uint8Array(300) };
    expect(() => subset(skewed, 31, { key, balanced: true })).toThrow(/class 1 has too few/);
  });

  test('refuses sizes that are not there', () => {
    expect(() => subset(numbered(5), 6, { key })).toThrow(/size is 6, but there are 5/);
    expect(() => subset(numbered(5), 0, { key })).toThrow(/size is 0/);
  });
});

describe('splitExamples', () => {
  test('without a key gives consecutive views', () => {
    const whole = numbered(10);
    const { train, validation } = splitExamples(whole, { train: 'rest', validation: 3 });
    expect(rowsOf(train)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(rowsOf(validation)).toEqual([7, 8, 9]);
    expect(train.x.buffer).toBe(whole.x.buffer);
  });

  test('with a key gives disjoint random parts that cover all', () => {
    const { a, b } = splitExamples(numbered(100), { a: 60, b: 40 }, { key });
    const rows = [...rowsOf(a), ...rowsOf(b)];
    expect(rows.toSorted((m, n) => m - n)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(rows).not.toEqual(rows.toSorted((m, n) => m - n));
  });

  test('refuses impossible parts', () => {
    expect(() => splitExamples(numbered(10), { a: 6, b: 5 })).toThrow(/need 11 examples or more, there are 10/);
    expect(() => splitExamples(numbered(10), { a: 'rest', b: 'rest' })).toThrow(/2 parts are 'rest'/);
    expect(() => splitExamples(numbered(10), { a: 10, b: 'rest' })).toThrow(/need 11/);
  });
});

test('examplesFromIdx joins images with labels', () => {
  const images = { shape: [2, 1, 2], values: Uint8Array.of(1, 2, 3, 4) };
  const examples = examplesFromIdx(images, { shape: [2], values: Int8Array.of(0, 4) });
  expect(examples).toMatchObject({ size: 2, shape: [1, 2, 1], targetShape: [], classes: 5 });
  expect(() => examplesFromIdx(images, { shape: [3], values: Uint8Array.of(0, 1, 2) })).toThrow(/Pass \[2\] labels/);
  expect(() => examplesFromIdx(images, { shape: [2], values: Int8Array.of(0, -1) })).toThrow(/hold -1/);
});
