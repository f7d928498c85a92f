import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fromBfloat16, fromFloat8E4M3, fromFloat8E5M2, fromHalf, toBfloat16, toHalf } from './half.ts';

const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);

/** The value of a half by its definition, in doubles. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25));
}

/** Nearest of the finite non-negative candidates (index = bits), the even one at a tie. */
function nearest(x: number, value: (bits: number) => number, largest: number): number {
  let [low, high] = [0, largest];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (value(middle) < x) low = middle + 1;
    else high = middle;
  }
  const [below, above] = [low - 1, low];
  if (below < 0) return above;
  const [down, up] = [x - value(below), value(above) - x];
  return down < up || (down === up && below % 2 === 0) ? below : above;
}

it('reads every half as it is defined', () => {
  expect([...fromHalf(all)]).toEqual([...all].map(half));
});

it('writes every half back as it was', () => {
  const bits = toHalf(fromHalf(all));
  for (const [i, x] of fromHalf(all).entries()) if (!Number.isNaN(x)) expect(bits[i]).toBe(i);
  expect(fromHalf(toHalf(Float32Array.of(Number.NaN)))[0]).toBeNaN();
});

it('rounds to the nearest half, ties to even, also at and around every midpoint', () => {
  const check = (x: number): void => {
    const expected = x >= 65_520 ? 0x7c00 : nearest(x, half, 0x7bff);
    expect(toHalf(Float32Array.of(x, -x)), `half of ${x}`).toEqual(Uint16Array.of(expected, expected | 0x8000));
  };
  for (const x of [65_519.996, 65_520, 65_536, 1e38, 2 ** -25, 2 ** -25 * 1.001, 2 ** -26, 1e-45, 2 ** -14])
    check(Math.fround(x));
  const near = fc.integer({ min: 0, max: 0x7bfe }).chain((bits) => {
    const middle = (half(bits) + half(bits + 1)) / 2;
    return fc.constantFrom(middle, middle * (1 + 2 ** -22), middle * (1 - 2 ** -22)).map(Math.fround);
  });
  fc.assert(fc.property(fc.oneof(near, fc.float({ min: 0, max: 65_504, noNaN: true }).map(Math.abs)), check), {
    numRuns: 2000,
  });
});

it('rounds to the nearest bfloat16, ties to even', () => {
  const value = (bits: number) => fromBfloat16(Uint16Array.of(bits))[0]!;
  fc.assert(
    fc.property(fc.float({ min: 0, max: Math.fround(3.38e38), noNaN: true }).map(Math.abs), (x) => {
      expect(toBfloat16(Float32Array.of(x))[0]).toBe(nearest(x, value, 0x7f7f));
    }),
    { numRuns: 2000 },
  );
  const special = Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, -0, Math.fround(3.4028234e38));
  expect([...fromBfloat16(toBfloat16(special))]).toEqual([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -0,
    Number.POSITIVE_INFINITY,
  ]);
  const finite = all.filter((bits) => !Number.isNaN(value(bits)));
  expect(toBfloat16(fromBfloat16(finite))).toEqual(finite);
});

it('reads 8-bit floats', () => {
  expect([...fromFloat8E4M3(Uint8Array.of(0, 1, 0x08, 0x38, 0x7e, 0x7f, 0xb8, 0x80))]).toEqual([
    0,
    2 ** -9,
    2 ** -6,
    1,
    448,
    Number.NaN,
    -1,
    -0,
  ]);
  expect([...fromFloat8E5M2(Uint8Array.of(0, 1, 0x04, 0x3c, 0x7b, 0x7c, 0xfc, 0xbc))]).toEqual([
    0,
    2 ** -16,
    2 ** -14,
    1,
    57_344,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    -1,
  ]);
});
