// Optimizer steps over a whole tree. Sources and targets may be the same memory (donated) or not.
// No fused multiply-add: memory is the limit, and both variants then take equal steps from equal gradients.
import { bytes, float, get, int, ptr, put, share } from './prelude';

const SGD = 0;
const MOMENTUM = 1;
const ADAM = 2;
const LION = 3;

/** Elements that are dealt out at a time. */
const UNIT: i32 = 4096;
/** Words per parameter in the table: n, gradient, decay, then source and target of the parameter and of two slots. */
const ROW: i32 = 9;

/**
 * 0 kind, 1 parameters, 2 table, 3 units in all, 4 learning rate, 5 gradient scale, 6 beta (momentum) or beta1, 7 beta2,
 * 8 epsilon, 9 1 / (1 − beta1^t), 10 1 / (1 − beta2^t), 11 nesterov, 12 1 − beta1, 13 1 − beta2
 */
export function opStep(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const count = int(g, 1), units = int(g, 3);
  let row = ptr(g, 2);
  const first = share(units, 1, chunk, chunks), last = share(units, 1, chunk + 1, chunks);
  let unit = 0;
  for (let i = 0; i < count && unit < last; i++) {
    const n = int(row, 0);
    const own = (n + UNIT - 1) / UNIT;
    const from = max(0, first - unit) * UNIT, to = min(n, (last - unit) * UNIT);
    if (from < to) span(g, row, from, to - from);
    unit += own;
    row += bytes(ROW);
  }
}

function span(g: usize, row: usize, from: i32, n: i32): void {
  const o = bytes(from), kind = int(g, 0);
  const gr = ptr(row, 1) + o, p = ptr(row, 3) + o, pt = ptr(row, 4) + o;
  const m = ptr(row, 5) + o, mt = ptr(row, 6) + o, v = ptr(row, 7) + o, vt = ptr(row, 8) + o;
  const rate = f32x4.splat(float(g, 4)), scale = f32x4.splat(float(g, 5)), decay = f32x4.splat(float(row, 2));
  if (kind == SGD) sgd(n, p, gr, pt, rate, scale, decay);
  else if (kind == MOMENTUM) momentum(n, p, gr, m, pt, mt, rate, scale, decay, f32x4.splat(float(g, 6)), int(g, 11) != 0);
  else if (kind == ADAM) adam(n, p, gr, m, v, pt, mt, vt, rate, scale, decay, g);
  else if (kind == LION) lion(n, p, gr, m, pt, mt, rate, scale, decay, g);
}

/** p − lr·(u + decay·p) */
// @ts-ignore: decorator
@inline
function descend(p: v128, rate: v128, u: v128, decay: v128): v128 {
  return f32x4.sub(p, f32x4.mul(rate, f32x4.add(u, f32x4.mul(decay, p))));
}

/** β·m + (1 − β)·x, `rest` being 1 − β */
// @ts-ignore: decorator
@inline
function average(beta: v128, m: v128, rest: v128, x: v128): v128 {
  return f32x4.add(f32x4.mul(beta, m), f32x4.mul(rest, x));
}

/**
 * 0 where |x| < bound; NaN stays. Slots of idle weights (dead units, words that do not occur) decay until they are
 * subnormal, where they stay for ever and each operation on them takes ten times as long.
 */
// @ts-ignore: decorator
@inline
function flush(x: v128, bound: f32): v128 {
  return v128.andnot(x, f32x4.lt(f32x4.abs(x), f32x4.splat(bound)));
}

/** The smallest normal number, and a number whose square is one. */
const NORMAL: f32 = 1.1754943508222875e-38;
const SQUARABLE: f32 = 1.0842021724855044e-19;

function sgd(n: i32, p: usize, g: usize, pt: usize, rate: v128, scale: v128, decay: v128): void {
  let i: usize = 0;
  for (const whole = bytes(n & ~3); i < whole; i += 16) sgdOne(i, false, p, g, pt, rate, scale, decay);
  for (const end = bytes(n); i < end; i += 4) sgdOne(i, true, p, g, pt, rate, scale, decay);
}

// @ts-ignore: decorator
@inline
function sgdOne(i: usize, single: bool, p: usize, g: usize, pt: usize, rate: v128, scale: v128, decay: v128): void {
  put(pt + i, descend(get(p + i, single), rate, f32x4.mul(get(g + i, single), scale), decay), single);
}

function momentum(
  n: i32, p: usize, g: usize, m: usize, pt: usize, mt: usize, rate: v128, scale: v128, decay: v128, beta: v128, nesterov: bool,
): void {
  let i: usize = 0;
  for (const whole = bytes(n & ~3); i < whole; i += 16) {
    momentumOne(i, false, p, g, m, pt, mt, rate, scale, decay, beta, nesterov);
  }
  for (const end = bytes(n); i < end; i += 4) momentumOne(i, true, p, g, m, pt, mt, rate, scale, decay, beta, nesterov);
}

// @ts-ignore: decorator
@inline
function momentumOne(
  i: usize, single: bool, p: usize, g: usize, m: usize, pt: usize, mt: usize,
  rate: v128, scale: v128, decay: v128, beta: v128, nesterov: bool,
): void {
  const x = get(p + i, single);
  const d = f32x4.add(f32x4.mul(get(g + i, single), scale), f32x4.mul(decay, x));
  const next = flush(f32x4.add(f32x4.mul(beta, get(m + i, single)), d), NORMAL);
  const u = nesterov ? f32x4.add(d, f32x4.mul(beta, next)) : next;
  put(mt + i, next, single);
  put(pt + i, f32x4.sub(x, f32x4.mul(rate, u)), single);
}

function adam(
  n: i32, p: usize, g: usize, m: usize, v: usize, pt: usize, mt: usize, vt: usize,
  rate: v128, scale: v128, decay: v128, args: usize,
): void {
  const b1 = f32x4.splat(float(args, 6)), b2 = f32x4.splat(float(args, 7));
  const r1 = f32x4.splat(float(args, 12)), r2 = f32x4.splat(float(args, 13));
  const epsilon = f32x4.splat(float(args, 8)), c1 = f32x4.splat(float(args, 9)), c2 = f32x4.splat(float(args, 10));
  let i: usize = 0;
  for (const whole = bytes(n & ~3); i < whole; i += 16) {
    adamOne(i, false, p, g, m, v, pt, mt, vt, rate, scale, decay, b1, r1, b2, r2, epsilon, c1, c2);
  }
  for (const end = bytes(n); i < end; i += 4) {
    adamOne(i, true, p, g, m, v, pt, mt, vt, rate, scale, decay, b1, r1, b2, r2, epsilon, c1, c2);
  }
}

// @ts-ignore: decorator
@inline
function adamOne(
  i: usize, single: bool, p: usize, g: usize, m: usize, v: usize, pt: usize, mt: usize, vt: usize,
  rate: v128, scale: v128, decay: v128, b1: v128, r1: v128, b2: v128, r2: v128, epsilon: v128, c1: v128, c2: v128,
): void {
  const d = f32x4.mul(get(g + i, single), scale);
  const big = flush(d, SQUARABLE);
  const first = flush(average(b1, get(m + i, single), r1, d), NORMAL);
  const second = flush(average(b2, get(v + i, single), r2, f32x4.mul(big, big)), NORMAL);
  put(mt + i, first, single);
  put(vt + i, second, single);
  const root = f32x4.add(f32x4.sqrt(f32x4.mul(second, c2)), epsilon);
  put(pt + i, descend(get(p + i, single), rate, f32x4.div(f32x4.mul(first, c1), root), decay), single);
}

function lion(
  n: i32, p: usize, g: usize, m: usize, pt: usize, mt: usize, rate: v128, scale: v128, decay: v128, args: usize,
): void {
  const b1 = f32x4.splat(float(args, 6)), b2 = f32x4.splat(float(args, 7));
  const r1 = f32x4.splat(float(args, 12)), r2 = f32x4.splat(float(args, 13));
  let i: usize = 0;
  for (const whole = bytes(n & ~3); i < whole; i += 16) {
    lionOne(i, false, p, g, m, pt, mt, rate, scale, decay, b1, r1, b2, r2);
  }
  for (const end = bytes(n); i < end; i += 4) lionOne(i, true, p, g, m, pt, mt, rate, scale, decay, b1, r1, b2, r2);
}

// @ts-ignore: decorator
@inline
function lionOne(
  i: usize, single: bool, p: usize, g: usize, m: usize, pt: usize, mt: usize,
  rate: v128, scale: v128, decay: v128, b1: v128, r1: v128, b2: v128, r2: v128,
): void {
  const d = f32x4.mul(get(g + i, single), scale);
  const old = get(m + i, single);
  const c = average(b1, old, r1, d);
  const sign = v128.or(f32x4.splat(1), v128.and(c, i32x4.splat(0x80000000)));
  // sign(0) = 0, and NaN stays NaN: c − c is 0 or NaN.
  const plain = v128.or(f32x4.eq(c, f32x4.splat(0)), f32x4.ne(c, c));
  const u = v128.bitselect(f32x4.sub(c, c), sign, plain);
  put(mt + i, flush(average(b2, old, r2, d), NORMAL), single);
  put(pt + i, descend(get(p + i, single), rate, u, decay), single);
}
