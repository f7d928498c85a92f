// Box–Muller in doubles, every operation rounded on its own, in the order that docs/random.md states.
import { joinLow } from './pack';

// @ts-ignore: decorator
@inline
function d(x: f64): v128 {
  return f64x2.splat(x);
}

/** −2 ln u from m and e (two lanes), then the root. */
// @ts-ignore: decorator
@inline
function radius(m: v128, e: v128): v128 {
  const s = f64x2.div(f64x2.sub(m, d(1)), f64x2.add(m, d(1)));
  const s2 = f64x2.mul(s, s);
  const poly = f64x2.add(
    d(-4.000000474748008),
    f64x2.mul(s2, f64x2.add(d(-1.333044474005948), f64x2.mul(s2, d(-0.8259274572882745)))),
  );
  return f64x2.sqrt(f64x2.add(f64x2.mul(e, d(1.3862943611198906)), f64x2.mul(s, poly)));
}

// @ts-ignore: decorator
@inline
function sine(y: v128, y2: v128, y4: v128): v128 {
  const low = f64x2.add(d(0.7853981608541711), f64x2.mul(d(-0.08074543252915636), y2));
  const high = f64x2.add(d(0.002490001024036513), f64x2.mul(d(-0.00003595045225769754), y2));
  return f64x2.mul(y, f64x2.add(low, f64x2.mul(y4, high)));
}

// @ts-ignore: decorator
@inline
function cosine(y2: v128, y4: v128): v128 {
  const low = f64x2.add(d(0.9999999673862997), f64x2.mul(d(-0.3084241655891756), y2));
  const high = f64x2.add(d(0.01584968416853886), f64x2.mul(d(-0.00031872784048311126), y2));
  return f64x2.add(low, f64x2.mul(y4, high));
}

/** The upper two lanes moved down. */
// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return i64x2.shuffle(x, x, 1, 1);
}

/** Four pairs of words → four pairs of normals: cosines' side to `dst`, sines' side to `dst` + 16. */
// @ts-ignore: decorator
@inline
export function boxMuller(wa: v128, wb: v128, dst: usize): void {
  const n = i32x4.add(i32x4.shr_u(wa, 8), i32x4.splat(1));
  const i = i32x4.add(f32x4.convert_i32x4_s(n), i32x4.splat(0x3f800000 - 0x3f3504f3));
  const e = i32x4.sub(i32x4.splat(24 + 127), i32x4.shr_s(i, 23));
  const m = i32x4.add(v128.and(i, i32x4.splat(0x7fffff)), i32x4.splat(0x3f3504f3));

  const t = i32x4.shr_u(wb, 8);
  const q = i32x4.shr_u(i32x4.add(t, i32x4.splat(0x200000)), 22);
  const one = i32x4.splat(1);
  const flip = i32x4.neg(v128.and(i32x4.shr_u(i32x4.add(q, one), 1), one));
  const rest = i32x4.sub(t, i32x4.shl(q, 22));
  const turned = i32x4.sub(v128.xor(rest, flip), flip);
  const negative = v128.and(q, i32x4.splat(2));

  const rl = radius(f64x2.promote_low_f32x4(m), f64x2.convert_low_i32x4_s(e));
  const rh = radius(f64x2.promote_low_f32x4(upper(m)), f64x2.convert_low_i32x4_s(upper(e)));
  const unit = d(4.76837158203125e-7); // 2⁻²¹
  const yl = f64x2.mul(f64x2.convert_low_i32x4_s(turned), unit);
  const yh = f64x2.mul(f64x2.convert_low_i32x4_s(upper(turned)), unit);
  const yl2 = f64x2.mul(yl, yl), yh2 = f64x2.mul(yh, yh);
  const yl4 = f64x2.mul(yl2, yl2), yh4 = f64x2.mul(yh2, yh2);
  const signL = i64x2.shl(i64x2.extend_low_i32x4_u(negative), 62);
  const signH = i64x2.shl(i64x2.extend_high_i32x4_u(negative), 62);
  const al = f64x2.mul(rl, v128.xor(cosine(yl2, yl4), signL));
  const ah = f64x2.mul(rh, v128.xor(cosine(yh2, yh4), signH));
  const bl = f64x2.mul(rl, sine(yl, yl2, yl4));
  const bh = f64x2.mul(rh, sine(yh, yh2, yh4));

  const a = joinLow(f32x4.demote_f64x2_zero(al), f32x4.demote_f64x2_zero(ah));
  const b = joinLow(f32x4.demote_f64x2_zero(bl), f32x4.demote_f64x2_zero(bh));
  const odd = i32x4.neg(v128.and(q, one));
  v128.store(dst, v128.bitselect(b, a, odd));
  v128.store(dst, v128.bitselect(a, b, odd), 16);
}
