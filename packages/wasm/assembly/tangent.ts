// Forward mode: two left factors against one packed right one, thin updates of a matrix, and ±1 matrices that are made
// inside the packing (docs/random.md, domain 3). The order of additions is that of gemm.ts, so bits are equal.
import { KC, panels } from './gemm';
import { packA, packStrip } from './pack';
import { philox } from './philox';
import { bytes, float, get, int, lanesSum, ptr, put, scratch, share } from './prelude';
import { MR } from './tiles';
import { epilogue } from './epilogue';

/** Rows of each left factor that are packed at a time. */
const ROWS: i32 = MR * 16;
/** Columns that are packed at a time. */
const STRIP: i32 = 64;
const SIGNS_DOMAIN: i32 = 3;

// @ts-ignore: decorator
@inline
function at(base: usize, row: i32, ld: usize, column: i32): usize {
  return base + ((<usize>row * ld + <usize>column) << 2);
}

/** Panels of a packed left factor against the panels of a packed strip of B; c points at the strip's first column. */
function strip(
  kc: i32, a: usize, rows: i32, b: usize, columns: i32, c: usize, ldc: usize, add: bool, edge: usize,
): void {
  for (let q = 0; q < columns; q += 8) {
    const some = min(8, columns - q);
    panels(kc, a, b, some > 4 ? 8 : 4, c + bytes(q), ldc << 2, rows, some, add, edge);
    b += bytes(kc * 8);
  }
}

/**
 * Y = op(A)·op(B) + bias and T = op(D)·op(B) + bias tangent, B packed once; columns are shared out.
 *
 * 0 flags (1 transpose A and D, 2 transpose B), 1 M, 2 N, 3 K, 4 A, 5 D, 6 lda, 7 B, 8 ldb, 9 Y, 10 T, 11 bias or 0,
 * 12 bias tangent or 0
 */
export function opMatMulPair(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const flags = int(g, 0), m = int(g, 1), n = int(g, 2), k = int(g, 3);
  const ta = (flags & 1) != 0, tb = (flags & 2) != 0;
  const a = ptr(g, 4), d = ptr(g, 5), lda = ptr(g, 6), b = ptr(g, 7), ldb = ptr(g, 8), y = ptr(g, 9), t = ptr(g, 10);
  const n0 = share(n, 8, chunk, chunks), n1 = share(n, 8, chunk + 1, chunks), ldc = <usize>n;
  const panelA = scratch(g, thread), panelD = panelA + bytes(ROWS * KC), panelB = panelD + bytes(ROWS * KC);
  const edge = panelB + bytes(STRIP * KC);
  for (let p = 0; p < k; p += KC) {
    const kc = min(KC, k - p);
    for (let i = 0; i < m; i += ROWS) {
      const rows = min(ROWS, m - i);
      packA(ta, a, lda, i, i + rows, p, kc, 1, panelA);
      packA(ta, d, lda, i, i + rows, p, kc, 1, panelD);
      for (let j = n0; j < n1; j += STRIP) {
        const columns = min(STRIP, n1 - j);
        packStrip(tb, b, ldb, j, j + columns, p, kc, panelB);
        strip(kc, panelA, rows, panelB, columns, at(y, i, ldc, j), ldc, p > 0, edge);
        strip(kc, panelD, rows, panelB, columns, at(t, i, ldc, j), ldc, p > 0, edge);
      }
    }
  }
  epilogue(y, ldc, 0, m, n0, n1, ptr(g, 11), 0, 0);
  epilogue(t, ldc, 0, m, n0, n1, ptr(g, 12), 0, 0);
}

/**
 * C += (alpha · a) bᵀ, row by row: an update by one direction reads and writes C in order. Rows are shared out.
 *
 * 0 M, 1 N, 2 a, 3 b, 4 C, 5 alpha
 */
export function opOuter(g: usize, chunk: i32, chunks: i32, _thread: i32): void {
  const m = int(g, 0), n = int(g, 1), a = ptr(g, 2), b = ptr(g, 3), alpha = float(g, 5);
  const m1 = share(m, 8, chunk + 1, chunks);
  for (let i = share(m, 8, chunk, chunks); i < m1; i++) {
    const factor = alpha * load<f32>(a + bytes(i));
    const f = f32x4.splat(factor);
    let c = at(ptr(g, 4), i, <usize>n, 0), s = b, j = 0;
    // Product and sum are rounded apart, as where a product is added that was made first.
    for (; j + 8 <= n; j += 8) {
      v128.store(c, f32x4.add(v128.load(c), f32x4.mul(f, v128.load(s))));
      v128.store(c, f32x4.add(v128.load(c, 16), f32x4.mul(f, v128.load(s, 16))), 16);
      c += 32;
      s += 32;
    }
    for (; j < n; j++) {
      store<f32>(c, load<f32>(c) + factor * load<f32>(s));
      c += 4;
      s += 4;
    }
  }
}

/** Rows p0 … p0 + kc of eight columns as a packed panel; p0 is a multiple of 64. `words`: 64 bytes. */
function packSigns(panel: i32, quads: i32, k0: i32, k1: i32, p0: i32, kc: i32, words: usize, dst: usize): void {
  const one = i32x4.splat(0x3f800000), top = i32x4.splat(0x80000000);
  for (let p = 0; p < kc; p += 64) {
    philox(k0, k1, (<i64>panel * <i64>quads + <i64>((p0 + p) >> 6)) << 2, SIGNS_DOMAIN, words);
    let w0 = v128.load(words), w1 = v128.load(words, 16), w2 = v128.load(words, 32), w3 = v128.load(words, 48);
    // An odd depth writes one row more than it has: the next panel, or spare room, lies there.
    for (let left = min(64, kc - p); left > 0; left -= 2) {
      v128.store(dst, v128.or(one, v128.and(top, w0)));
      v128.store(dst, v128.or(one, v128.and(top, w1)), 16);
      v128.store(dst, v128.or(one, v128.and(top, w2)), 32);
      v128.store(dst, v128.or(one, v128.and(top, w3)), 48);
      w0 = i32x4.shl(w0, 1);
      w1 = i32x4.shl(w1, 1);
      w2 = i32x4.shl(w2, 1);
      w3 = i32x4.shl(w3, 1);
      dst += 64;
    }
  }
}

/**
 * C (+)= A · S (+ bias), S [K, N] of ±1 made from a key while it is packed; columns are shared out.
 *
 * 0 add, 1 M, 2 N, 3 K, 4 A, 5 C, 6 bias or 0, 7 key lo, 8 key hi
 */
export function opMatMulSigns(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const m = int(g, 1), n = int(g, 2), k = int(g, 3), a = ptr(g, 4), c = ptr(g, 5), k0 = int(g, 7), k1 = int(g, 8);
  const n0 = share(n, 8, chunk, chunks), n1 = share(n, 8, chunk + 1, chunks), ldc = <usize>n;
  const quads = (k + 63) >> 6;
  const panelA = scratch(g, thread), panelB = panelA + bytes(ROWS * 2 * KC), words = panelB + bytes(STRIP * KC + 16);
  for (let p = 0; p < k; p += KC) {
    const kc = min(KC, k - p);
    for (let i = 0; i < m; i += ROWS * 2) {
      const rows = min(ROWS * 2, m - i);
      packA(false, a, <usize>k, i, i + rows, p, kc, 1, panelA);
      for (let j = n0; j < n1; j += 8) {
        const columns = min(8, n1 - j);
        packSigns(j >> 3, quads, k0, k1, p, kc, words, panelB);
        panels(kc, panelA, panelB, 8, at(c, i, ldc, j), ldc << 2, rows, columns, p > 0 || int(g, 0) != 0, words + 64);
      }
    }
  }
  epilogue(c, ldc, 0, m, n0, n1, ptr(g, 6), 0, 0);
}

/** Adds ±f to two rows of eight; the signs are the top bits of four vectors. */
// @ts-ignore: decorator
@inline
function addSigned(c: usize, f: v128, w: v128, into: usize): void {
  v128.store(into, f32x4.add(v128.load(c), v128.xor(f, v128.and(w, i32x4.splat(0x80000000)))));
}

/**
 * out ← p + factor · S, S [K, N] as in `opMatMulSigns`; blocks of 64 rows are shared out. p may be out.
 *
 * 0 K, 1 N, 2 p, 3 out, 4 factor, 5 key lo, 6 key hi
 */
export function opAddSigns(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const k = int(g, 0), n = int(g, 1), factor = float(g, 4), k0 = int(g, 5), k1 = int(g, 6);
  const quads = (k + 63) >> 6, words = scratch(g, thread), f = f32x4.splat(factor), ld = <usize>n << 2;
  const last = share(quads, 1, chunk + 1, chunks);
  for (let quad = share(quads, 1, chunk, chunks); quad < last; quad++) {
    const rows = min(64, k - (quad << 6));
    for (let j = 0; j < n; j += 8) {
      philox(k0, k1, (<i64>(j >> 3) * <i64>quads + <i64>quad) << 2, SIGNS_DOMAIN, words);
      let s = at(ptr(g, 2), quad << 6, <usize>n, j), d = at(ptr(g, 3), quad << 6, <usize>n, j), r = 0;
      if (j + 8 <= n) {
        let w0 = v128.load(words), w1 = v128.load(words, 16), w2 = v128.load(words, 32), w3 = v128.load(words, 48);
        for (; r + 2 <= rows; r += 2) {
          addSigned(s, f, w0, d);
          addSigned(s + 16, f, w1, d + 16);
          addSigned(s + ld, f, w2, d + ld);
          addSigned(s + ld + 16, f, w3, d + ld + 16);
          w0 = i32x4.shl(w0, 1);
          w1 = i32x4.shl(w1, 1);
          w2 = i32x4.shl(w2, 1);
          w3 = i32x4.shl(w3, 1);
          s += ld << 1;
          d += ld << 1;
        }
      }
      for (; r < rows; r++) {
        for (let c = 0; c < min(8, n - j); c++) {
          const word = load<i32>(words + bytes(4 * (2 * (r & 1) + (c >> 2)) + (c & 3)));
          const sign: f32 = (word << (r >> 1)) < 0 ? -factor : factor;
          store<f32>(d + bytes(c), load<f32>(s + bytes(c)) + sign);
        }
        s += ld;
        d += ld;
      }
    }
  }
}

/**
 * out ← dy where y > 0, else 0, for K tangents of one y.
 *
 * 0 n, 1 K, 2 dy, 3 y, 4 out
 */
export function opReluGrad(g: usize, chunk: i32, chunks: i32, _thread: i32): void {
  const n = int(g, 0), k = int(g, 1), zero = f32x4.splat(0);
  const from = share(n, 16, chunk, chunks), to = share(n, 16, chunk + 1, chunks);
  for (let d = 0; d < k; d++) {
    const offset = (<usize>d * <usize>n + <usize>from) << 2;
    let s = ptr(g, 2) + offset, y = ptr(g, 3) + bytes(from), t = ptr(g, 4) + offset, i = from;
    for (; i + 4 <= to; i += 4) {
      v128.store(t, v128.and(v128.load(s), f32x4.gt(v128.load(y), zero)));
      s += 16;
      y += 16;
      t += 16;
    }
    for (; i < to; i++) {
      store<f32>(t, load<f32>(y) > 0 ? load<f32>(s) : 0);
      s += 4;
      y += 4;
      t += 4;
    }
  }
}

/**
 * out ← u · [d ≠ 0] · Σ d · s, the sum over groups of neighbours in a row; rows are shared out.
 *
 * 0 rows, 1 columns, 2 columns in a group, 3 u, 4 d, 5 s, 6 out
 */
export function opGroupGradient(g: usize, chunk: i32, chunks: i32, _thread: i32): void {
  const rows = int(g, 0), n = int(g, 1), size = int(g, 2), last = share(rows, 1, chunk + 1, chunks);
  for (let r = share(rows, 1, chunk, chunks); r < last; r++) {
    for (let j = 0; j < n; j += size) {
      const o = (<usize>r * <usize>n + <usize>j) << 2;
      group(ptr(g, 3) + o, ptr(g, 4) + o, ptr(g, 5) + o, ptr(g, 6) + o, min(size, n - j));
    }
  }
}

// @ts-ignore: decorator
@inline
function group(u: usize, d: usize, s: usize, out: usize, n: i32): void {
  const whole = bytes(n & ~3), end = bytes(n), zero = f32x4.splat(0);
  let sums = zero, i: usize = 0;
  for (; i < whole; i += 16) sums = f32x4.add(sums, f32x4.mul(v128.load(d + i), v128.load(s + i)));
  let sum = lanesSum(sums);
  for (; i < end; i += 4) sum += load<f32>(d + i) * load<f32>(s + i);
  const factor = f32x4.splat(sum);
  for (i = 0; i < whole; i += 16) moved(u + i, d + i, out + i, factor, false);
  for (; i < end; i += 4) moved(u + i, d + i, out + i, factor, true);
}

/** out ← factor · u where d ≠ 0. */
// @ts-ignore: decorator
@inline
function moved(u: usize, d: usize, out: usize, factor: v128, single: bool): void {
  put(out, v128.andnot(f32x4.mul(factor, get(u, single)), f32x4.eq(get(d, single), f32x4.splat(0))), single);
}

/** Scratch bytes that a thread needs for the ops of this file. */
export function tangentScratch(): i32 {
  return (2 * ROWS * KC + STRIP * KC + 16 + 16 + MR * 8) * 4;
}
