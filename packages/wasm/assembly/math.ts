// exp, log, tanh and activations on four floats at once.
// All inlined: the engine then keeps their constants ready outside of the loop instead of making them anew in each call.

import { bytes, madd } from './prelude';

// @ts-ignore: decorator
@inline
function poly(y: v128, x: v128, c: f32): v128 {
  return madd(y, x, f32x4.splat(c));
}

/**
 * eˣ within 2 ulp: x = n·ln 2 + r, a polynomial in r (Cephes), times 2ⁿ. Overflows to ∞; below e^−86.6 it is 0, as
 * subnormal results would cost a hundred times as much (masked scores of a softmax end there).
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const floor = f32x4.splat(-86.6);
  // pmin and pmax are one instruction each, and keep NaN where it comes first.
  const t = f32x4.pmin(f32x4.pmax(x, floor), f32x4.splat(89));
  // Adding 1.5 · 2²³ rounds to a whole number n, which then stands in the low bits.
  const magic = f32x4.splat(12582912);
  const z = madd(t, f32x4.splat(1.44269504), magic);
  const n = f32x4.sub(z, magic);
  let r = madd(n, f32x4.splat(-0.693359375), t);
  r = madd(n, f32x4.splat(2.12194440e-4), r);
  let y = f32x4.splat(1.9875691500e-4);
  y = poly(y, r, 1.3981999507e-3);
  y = poly(y, r, 8.3334519073e-3);
  y = poly(y, r, 4.1665795894e-2);
  y = poly(y, r, 1.6666665459e-1);
  y = poly(y, r, 5.0000001201e-1);
  y = f32x4.add(madd(y, f32x4.mul(r, r), r), f32x4.splat(1));
  // 2ⁿ⁻¹ and a doubling, as n may be 128.
  y = f32x4.mul(y, i32x4.shl(i32x4.add(z, i32x4.splat(126)), 23));
  return v128.andnot(f32x4.add(y, y), f32x4.lt(x, floor));
}

/** ln x for normal x > 0 (Cephes). */
// @ts-ignore: decorator
@inline
export function log4(x: v128): v128 {
  const one = f32x4.splat(1);
  const e = i32x4.sub(i32x4.shr_u(x, 23), i32x4.splat(126));
  let m = v128.or(v128.and(x, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000));
  const small = f32x4.lt(m, f32x4.splat(0.707106781186547524));
  const n = f32x4.sub(f32x4.convert_i32x4_s(e), v128.and(one, small));
  m = f32x4.add(f32x4.sub(m, one), v128.and(m, small));
  const z = f32x4.mul(m, m);
  let y = f32x4.splat(7.0376836292e-2);
  y = poly(y, m, -1.1514610310e-1);
  y = poly(y, m, 1.1676998740e-1);
  y = poly(y, m, -1.2420140846e-1);
  y = poly(y, m, 1.4249322787e-1);
  y = poly(y, m, -1.6668057665e-1);
  y = poly(y, m, 2.0000714765e-1);
  y = poly(y, m, -2.4999993993e-1);
  y = poly(y, m, 3.3333331174e-1);
  y = f32x4.mul(f32x4.mul(y, m), z);
  y = f32x4.add(y, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  y = f32x4.sub(y, f32x4.mul(z, f32x4.splat(0.5)));
  return f32x4.add(f32x4.add(m, y), f32x4.mul(n, f32x4.splat(0.693359375)));
}

/** 1 / (1 + e⁻ˣ) */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(x))));
}

/** tanh x: odd polynomial below 0.625 (Cephes), 1 − 2 / (e²ˣ + 1) above. */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const magnitude = f32x4.abs(x);
  const z = f32x4.mul(x, x);
  let y = f32x4.splat(-5.70498872745e-3);
  y = poly(y, z, 2.06390887954e-2);
  y = poly(y, z, -5.37397155531e-2);
  y = poly(y, z, 1.33314422036e-1);
  y = poly(y, z, -3.33332819422e-1);
  const near = f32x4.add(f32x4.mul(f32x4.mul(y, z), x), x);
  const one = f32x4.splat(1);
  const e = exp4(f32x4.add(magnitude, magnitude));
  const far = f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(e, one)));
  const signed = v128.or(far, v128.and(x, i32x4.splat(0x80000000)));
  // NaN fails the comparison and takes `near`, which is NaN.
  return v128.bitselect(signed, near, f32x4.ge(magnitude, f32x4.splat(0.625)));
}

const GELU_A: f32 = 1.5957691216057308; // 2·√(2/π)
const GELU_B: f32 = 0.044715;

/** x·σ(2u), u = √(2/π)(x + 0.044715 x³): the tanh form of GELU. */
// @ts-ignore: decorator
@inline
export function gelu4(x: v128): v128 {
  const one = f32x4.splat(1);
  const cube = f32x4.mul(f32x4.mul(x, x), f32x4.mul(x, f32x4.splat(GELU_B)));
  const u = f32x4.mul(f32x4.splat(GELU_A), f32x4.add(x, cube));
  return f32x4.div(x, f32x4.add(one, exp4(f32x4.neg(u))));
}

/** d gelu / dx = s + x·s·(1 − s)·u′, s = σ(2u), u′ = 2·√(2/π)(1 + 3 · 0.044715 x²) */
// @ts-ignore: decorator
@inline
export function geluGrad4(x: v128): v128 {
  // Beyond ±30 it is 0 or 1, and x² would overflow: 0 · ∞.
  x = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-30)), f32x4.splat(30));
  const one = f32x4.splat(1);
  const square = f32x4.mul(x, x);
  const inner = f32x4.mul(square, f32x4.splat(GELU_B));
  const u = f32x4.mul(f32x4.mul(f32x4.splat(GELU_A), x), f32x4.add(one, inner));
  const s = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(u))));
  const slope = f32x4.mul(f32x4.splat(GELU_A), f32x4.add(one, f32x4.mul(f32x4.splat(3), inner)));
  return f32x4.add(s, f32x4.mul(f32x4.mul(x, f32x4.mul(s, f32x4.sub(one, s))), slope));
}

/** `exp4` as a call: for the rest of a row. */
export function expOf(x: v128): v128 {
  return exp4(x);
}

/** Activations by number: 0 linear, 1 relu, 2 relu6, 3 elu, 4 leaky relu (`parameter`: slope), 5 sigmoid, 6 tanh, 7 gelu. */
// @ts-ignore: decorator
@inline
export function activate(kind: i32, x: v128, parameter: f32): v128 {
  const zero = f32x4.splat(0);
  if (kind == 0) return x;
  // x first: NaN stays NaN.
  if (kind == 1) return f32x4.pmax(x, zero);
  if (kind == 2) return f32x4.pmin(f32x4.pmax(x, zero), f32x4.splat(6));
  if (kind == 3) return v128.bitselect(f32x4.sub(exp4(x), f32x4.splat(1)), x, f32x4.lt(x, zero));
  if (kind == 4) return v128.bitselect(f32x4.mul(x, f32x4.splat(parameter)), x, f32x4.lt(x, zero));
  if (kind == 5) return sigmoid4(x);
  if (kind == 6) return tanh4(x);
  return gelu4(x);
}

/** `activate` as a call: for the rest of a row. */
function activateOf(kind: i32, x: v128, parameter: f32): v128 {
  return activate(kind, x, parameter);
}

/**
 * out[i] ← act(x[i]), i < n. x may be out. The choice stands inside of the loop on purpose: the engine hoists constants
 * out of loops but not out of branches, and hoisted ones are spilled.
 */
export function activateRow(x: usize, out: usize, n: i32, kind: i32, parameter: f32): void {
  let i: usize = 0;
  for (const size = bytes(n & ~3); i < size; i += 16) v128.store(out + i, activate(kind, v128.load(x + i), parameter));
  for (const end = bytes(n); i < end; i += 4) {
    v128.store32_lane(out + i, activateOf(kind, v128.load32_zero(x + i), parameter), 0);
  }
}
