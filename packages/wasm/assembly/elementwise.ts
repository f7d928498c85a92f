// Functions of single elements.
import { activateRow, exp4, geluGrad4, log4 } from './math';
import { bytes, float, get, int, ptr, put, share } from './prelude';

/** out ← act(x). 0 n, 1 x, 2 out, 3 activation, 4 its parameter */
export function opActivate(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), from = share(n, 16, chunk, chunks), count = share(n, 16, chunk + 1, chunks) - from;
  activateRow(ptr(g, 1) + bytes(from), ptr(g, 2) + bytes(from), count, int(g, 3), float(g, 4));
}

/**
 * 0 neg, 1 abs, 2 square, 3 sqrt, 4 rsqrt, 5 reciprocal, 6 exp, 7 log, 8 step (`parameter` below zero), 9 int32 → float,
 * 10 float → int32
 */
// @ts-ignore: decorator
@inline
function unary(kind: i32, x: v128, parameter: f32): v128 {
  if (kind == 6) return exp4(x);
  if (kind == 7) return logOf(x);
  const one = f32x4.splat(1);
  if (kind == 0) return f32x4.neg(x);
  if (kind == 1) return f32x4.abs(x);
  if (kind == 2) return f32x4.mul(x, x);
  if (kind == 3) return f32x4.sqrt(x);
  if (kind == 4) return f32x4.div(one, f32x4.sqrt(x));
  if (kind == 5) return f32x4.div(one, x);
  if (kind == 8) return stepOf(x, parameter);
  if (kind == 9) return f32x4.convert_i32x4_s(x);
  return i32x4.trunc_sat_f32x4_s(x);
}

/** ln x for every x: −∞ at 0, NaN below; subnormal numbers are scaled up first. */
// @ts-ignore: decorator
@inline
function logOf(x: v128): v128 {
  const zero = f32x4.splat(0);
  const tiny = f32x4.lt(x, f32x4.splat(1.17549435e-38));
  const y = f32x4.sub(
    log4(v128.bitselect(f32x4.mul(x, f32x4.splat(8388608)), x, tiny)),
    v128.and(f32x4.splat(15.9423847), tiny),
  );
  const special = v128.bitselect(f32x4.splat(-Infinity), f32x4.splat(NaN), f32x4.eq(x, zero));
  const finite = v128.bitselect(y, x, v128.and(f32x4.lt(x, f32x4.splat(Infinity)), f32x4.eq(x, x)));
  return v128.bitselect(special, finite, f32x4.le(x, zero));
}

/** 1 above zero, `low` elsewhere, NaN for NaN. */
// @ts-ignore: decorator
@inline
function stepOf(x: v128, low: f32): v128 {
  const y = v128.bitselect(f32x4.splat(1), f32x4.splat(low), f32x4.gt(x, f32x4.splat(0)));
  return v128.bitselect(y, x, f32x4.eq(x, x));
}

function unaryOf(kind: i32, x: v128, parameter: f32): v128 {
  return unary(kind, x, parameter);
}

/** out ← f(x), 4-byte elements. 0 n, 1 x, 2 out, 3 kind, 4 parameter */
export function opUnary(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), kind = int(g, 3), parameter = float(g, 4);
  const from = share(n, 16, chunk, chunks), count = share(n, 16, chunk + 1, chunks) - from;
  const x = ptr(g, 1) + bytes(from), out = ptr(g, 2) + bytes(from), size = bytes(count & ~3);
  let i: usize = 0;
  for (; i < size; i += 16) v128.store(out + i, unary(kind, v128.load(x + i), parameter));
  for (; i < bytes(count); i += 4) {
    v128.store32_lane(out + i, unaryOf(kind, v128.load32_zero(x + i), parameter), 0);
  }
}

/** Bytes 0 or 1 → float (kind 0) or int32 (1). 0 n, 1 x, 2 out, 3 kind */
export function opFromBool(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), x = ptr(g, 1), out = ptr(g, 2), whole = int(g, 3);
  const to = share(n, 16, chunk + 1, chunks);
  for (let i = share(n, 16, chunk, chunks); i < to; i++) {
    const bit = load<u8>(x + <usize>i);
    if (whole) store<i32>(out + bytes(i), bit);
    else store<f32>(out + bytes(i), <f32>bit);
  }
}

function geluGradOf(x: v128): v128 {
  return geluGrad4(x);
}

/** out ← dy · gelu′(x). 0 n, 1 x, 2 dy, 3 out */
export function opGeluGrad(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), x = ptr(g, 1), dy = ptr(g, 2), out = ptr(g, 3);
  const to = bytes(share(n, 16, chunk + 1, chunks));
  let i = bytes(share(n, 16, chunk, chunks));
  for (; i + 16 <= to; i += 16) v128.store(out + i, f32x4.mul(v128.load(dy + i), geluGrad4(v128.load(x + i))));
  for (; i < to; i += 4) put(out + i, f32x4.mul(get(dy + i, true), geluGradOf(get(x + i, true))), true);
}
