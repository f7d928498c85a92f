// Packing of matrix blocks into the order in which the tiles read them. MR rows of A, 8 (or 4) columns of B per panel.
import { MR } from './tiles';
import { bytes } from './prelude';

/**
 * Packs rows [i0, i1) and depth [p0, p0 + kc) of alpha · op(A) into MR-row panels, zero padded.
 * `transposed`: A is stored K × M.
 */
export function packA(
  transposed: bool, a: usize, lda: usize, i0: i32, i1: i32, p0: i32, kc: i32, alpha: f32, dst: usize,
): void {
  const start = dst;
  for (let i = i0; i < i1; i += MR) {
    const rows = min(MR, i1 - i);
    if (transposed) packColumns(a + (<usize>p0 * lda + <usize>i) * 4, lda << 2, rows, kc, dst);
    else packRows(a + (<usize>i * lda + <usize>p0) * 4, lda << 2, rows, kc, dst);
    dst += bytes(kc * MR);
  }
  if (alpha != 1) scale(start, dst, alpha);
}

function scale(from: usize, to: usize, alpha: f32): void {
  // Panels hold kc · MR floats, which need not be a multiple of four.
  const factor = f32x4.splat(alpha);
  for (; from + 16 <= to; from += 16) v128.store(from, f32x4.mul(factor, v128.load(from)));
  for (; from < to; from += 4) store<f32>(from, alpha * load<f32>(from));
}

function packColumns(src: usize, ld: usize, rows: i32, kc: i32, dst: usize): void {
  for (let p = 0; p < kc; p++) {
    let r = 0;
    if (rows == MR) {
      for (; r + 4 <= MR; r += 4) v128.store(dst + bytes(r), v128.load(src + bytes(r)));
    }
    for (; r < rows; r++) store<f32>(dst + bytes(r), load<f32>(src + bytes(r)));
    for (; r < MR; r++) store<f32>(dst + bytes(r), 0);
    src += ld;
    dst += bytes(MR);
  }
}

function packRows(src: usize, ld: usize, rows: i32, kc: i32, dst: usize): void {
  let r = 0;
  // Four rows at a time through a 4 × 4 transposition.
  for (; r + 4 <= rows; r += 4) {
    let s0 = src + <usize>r * ld;
    let s1 = s0 + ld, s2 = s1 + ld, s3 = s2 + ld;
    let d = dst + bytes(r);
    let p = 0;
    for (; p + 4 <= kc; p += 4) {
      const r0 = v128.load(s0), r1 = v128.load(s1), r2 = v128.load(s2), r3 = v128.load(s3);
      const t0 = unpackLow(r0, r1), t1 = unpackHigh(r0, r1), t2 = unpackLow(r2, r3), t3 = unpackHigh(r2, r3);
      v128.store(d, joinLow(t0, t2));
      v128.store(d + bytes(MR), joinHigh(t0, t2));
      v128.store(d + bytes(2 * MR), joinLow(t1, t3));
      v128.store(d + bytes(3 * MR), joinHigh(t1, t3));
      d += bytes(4 * MR);
      s0 += 16; s1 += 16; s2 += 16; s3 += 16;
    }
    for (; p < kc; p++) {
      store<f32>(d, load<f32>(s0));
      store<f32>(d, load<f32>(s1), 4);
      store<f32>(d, load<f32>(s2), 8);
      store<f32>(d, load<f32>(s3), 12);
      d += bytes(MR);
      s0 += 4; s1 += 4; s2 += 4; s3 += 4;
    }
  }
  for (; r + 2 <= rows; r += 2) {
    let s0 = src + <usize>r * ld;
    let s1 = s0 + ld;
    let d = dst + bytes(r);
    let p = 0;
    for (; p + 4 <= kc; p += 4) {
      const r0 = v128.load(s0), r1 = v128.load(s1);
      const low = unpackLow(r0, r1), high = unpackHigh(r0, r1);
      v128.store64_lane(d, low, 0);
      v128.store64_lane(d + bytes(MR), low, 1);
      v128.store64_lane(d + bytes(2 * MR), high, 0);
      v128.store64_lane(d + bytes(3 * MR), high, 1);
      d += bytes(4 * MR);
      s0 += 16; s1 += 16;
    }
    for (; p < kc; p++) {
      store<f32>(d, load<f32>(s0));
      store<f32>(d, load<f32>(s1), 4);
      d += bytes(MR);
      s0 += 4; s1 += 4;
    }
  }
  for (; r < rows; r++) {
    let s = src + <usize>r * ld;
    let d = dst + bytes(r);
    for (let p = 0; p < kc; p++) {
      store<f32>(d, load<f32>(s));
      s += 4;
      d += bytes(MR);
    }
  }
  for (; r < MR; r++) {
    let d = dst + bytes(r);
    for (let p = 0; p < kc; p++) {
      store<f32>(d, 0);
      d += bytes(MR);
    }
  }
}

/** Packs depth [p0, p0 + kc) and columns [j, j + n) of op(B) into one panel of `width` (8 or 4) columns, zero padded. */
export function packB(
  transposed: bool, b: usize, ldb: usize, j: i32, n: i32, width: i32, p0: i32, kc: i32, dst: usize,
): void {
  const ld = ldb << 2;
  if (transposed) {
    packRowsB(b + (<usize>j * ldb + <usize>p0) * 4, ld, n, width, kc, dst);
    return;
  }
  let src = b + (<usize>p0 * ldb + <usize>j) * 4;
  if (n == 8) {
    for (let p = 0; p < kc; p++) {
      v128.store(dst, v128.load(src));
      v128.store(dst, v128.load(src, 16), 16);
      src += ld;
      dst += 32;
    }
    return;
  }
  let p = 0;
  if (n > 4) {
    // What follows a row is read with it and masked away; after the last row there may be nothing.
    const keep = i32x4.gt_s(i32x4.splat(n - 4), i32x4(0, 1, 2, 3));
    for (; p < kc - 1; p++) {
      v128.store(dst, v128.load(src));
      v128.store(dst, v128.and(v128.load(src, 16), keep), 16);
      src += ld;
      dst += 32;
    }
  }
  for (; p < kc; p++) {
    let c = 0;
    for (; c < n; c++) store<f32>(dst + bytes(c), load<f32>(src + bytes(c)));
    for (; c < width; c++) store<f32>(dst + bytes(c), 0);
    src += ld;
    dst += bytes(width);
  }
}

/** Packs columns [j, end) into panels of 8 (the last of 4 where that is enough), one after the other. */
export function packStrip(
  transposed: bool, b: usize, ldb: usize, j: i32, end: i32, p0: i32, kc: i32, dst: usize,
): void {
  if (!transposed && ((end - j) & 7) == 0) {
    packLines(b + (<usize>p0 * ldb + <usize>j) * 4, ldb << 2, end - j, kc, dst);
    return;
  }
  for (; j < end; j += 8) {
    const columns = min(8, end - j);
    packB(transposed, b, ldb, j, columns, columns > 4 ? 8 : 4, p0, kc, dst);
    dst += bytes(kc * 8);
  }
}

/** Row by row over several panels at once, so that every cache line is read once. `n` is a multiple of 8. */
function packLines(src: usize, ld: usize, n: i32, kc: i32, dst: usize): void {
  const step = bytes(kc * 8);
  for (let p = 0; p < kc; p++) {
    let d = dst + (<usize>p << 5);
    let s = src;
    for (let c = 0; c < n; c += 8) {
      v128.store(d, v128.load(s));
      v128.store(d, v128.load(s, 16), 16);
      s += 32;
      d += step;
    }
    src += ld;
  }
}

/** B is stored N × K. */
function packRowsB(src: usize, ld: usize, n: i32, width: i32, kc: i32, dst: usize): void {
  const step = bytes(width);
  for (let c = 0; c < width; c += 4) {
    let d = dst + bytes(c);
    let p = 0;
    if (c + 4 <= n) {
      let s0 = src + <usize>c * ld;
      let s1 = s0 + ld, s2 = s1 + ld, s3 = s2 + ld;
      for (; p + 4 <= kc; p += 4) {
        const r0 = v128.load(s0), r1 = v128.load(s1), r2 = v128.load(s2), r3 = v128.load(s3);
        const t0 = unpackLow(r0, r1), t1 = unpackHigh(r0, r1), t2 = unpackLow(r2, r3), t3 = unpackHigh(r2, r3);
        v128.store(d, joinLow(t0, t2));
        v128.store(d + step, joinHigh(t0, t2));
        v128.store(d + step * 2, joinLow(t1, t3));
        v128.store(d + step * 3, joinHigh(t1, t3));
        d += step << 2;
        s0 += 16; s1 += 16; s2 += 16; s3 += 16;
      }
    }
    const tail = p;
    for (let q = c; q < c + 4; q++) {
      let e = d + bytes(q - c);
      if (q < n) {
        let s = src + <usize>q * ld + bytes(tail);
        for (p = tail; p < kc; p++) {
          store<f32>(e, load<f32>(s));
          s += 4;
          e += step;
        }
      } else {
        for (p = tail; p < kc; p++) {
          store<f32>(e, 0);
          e += step;
        }
      }
    }
  }
}

/** a0 b0 a1 b1 */
// @ts-ignore: decorator
@inline
export function unpackLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
}

/** a2 b2 a3 b3 */
// @ts-ignore: decorator
@inline
export function unpackHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
}

/** a0 a1 b0 b1 */
// @ts-ignore: decorator
@inline
export function joinLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

/** a2 a3 b2 b3 */
// @ts-ignore: decorator
@inline
export function joinHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}
