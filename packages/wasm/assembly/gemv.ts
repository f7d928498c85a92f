// One to eight rows of A: B is streamed once and not packed. The same order of additions as in `gemm`.
import { KC } from './gemm';
import { bytes, madd } from './prelude';
import {
  dots1, dots2, dots3, dots4, stream1, stream2, stream3,
} from './tiles';

/** Rows at most. */
const ROWS: i32 = 8;
/** Partial sums of a pass, all rows together: they stay in the first cache. */
const SUMS: i32 = 4096;

/**
 * C (+)= alpha · op(A) · op(B) for m ≤ 8 and columns [n0, n1). Element (i, j) of C lies at c + 4 · (i · rowStep + j · columnStep).
 */
export function gemv(
  ta: bool, tb: bool, m: i32, k: i32, alpha: f32, a: usize, lda: usize, b: usize, ldb: usize,
  c: usize, rowStep: usize, columnStep: usize, n0: i32, n1: i32, add: bool, work: usize,
): void {
  const packed = work; // KC × m of alpha · A
  const sums = work + bytes(KC * ROWS);
  const strip = m > 4 ? SUMS / ROWS : SUMS / 4;
  for (let j = n0; j < n1; j += strip) {
    const n = min(strip, n1 - j);
    const ldt = bytes((n + 7) & ~7);
    let adding = add;
    if (k == 0) {
      memory.fill(sums, 0, ldt * <usize>m);
      deliver(sums, ldt, c + (<usize>j * columnStep << 2), rowStep, columnStep, m, n, adding);
    }
    for (let p = 0; p < k; p += KC) {
      const kc = min(KC, k - p);
      const from = b + (tb ? <usize>j * ldb + <usize>p : <usize>p * ldb + <usize>j) * 4;
      if (tb) {
        for (let r = 0; r < m; r += 4) packFew(ta, a, lda, r, min(4, m - r), p, kc, alpha, packed + bytes(r * kc));
        stripT(m, kc, packed, from, ldb << 2, n, sums, ldt, sums + bytes(SUMS));
      } else {
        const group = m == 3 ? 3 : 2;
        for (let r = 0; r < m; r += group) packFew(ta, a, lda, r, min(group, m - r), p, kc, alpha, packed + bytes(r * kc));
        memory.fill(sums, 0, ldt * <usize>m);
        if (m == 3) strip3(kc, packed, from, ldb << 2, n, sums, ldt);
        else stripPairs(m, kc, packed, from, ldb << 2, n, sums, ldt);
      }
      deliver(sums, ldt, c + (<usize>j * columnStep << 2), rowStep, columnStep, m, n, adding);
      adding = true;
    }
  }
}

/** alpha · A[from..from + m, p..p + kc) as [p][m]. */
function packFew(ta: bool, a: usize, lda: usize, from: i32, m: i32, p: i32, kc: i32, alpha: f32, dst: usize): void {
  const ld = lda << 2;
  for (let r = 0; r < m; r++) {
    const row = <usize>(from + r);
    let s = ta ? a + (<usize>p * lda + row) * 4 : a + row * ld + bytes(p);
    const step = ta ? ld : 4;
    let d = dst + bytes(r);
    for (let q = 0; q < kc; q++) {
      store<f32>(d, alpha * load<f32>(s));
      s += step;
      d += bytes(m);
    }
  }
}

/** sums[m, n] += A · B over kc streamed rows of B, by pairs of rows: `a` holds one pair after the other, then an odd row. */
function stripPairs(m: i32, kc: i32, a: usize, b: usize, ldb: usize, n: i32, sums: usize, ldt: usize): void {
  const even = m & ~1, odd = a + bytes(even * kc), last = sums + <usize>even * ldt;
  let p = 0;
  for (; p + 8 <= kc; p += 8) {
    const half = b + ldb * 4;
    for (let r = 0; r < even; r += 2) {
      const at = a + bytes(r * kc + p * 2), t = sums + <usize>r * ldt;
      stream2(n, at, b, ldb, t, ldt);
      stream2(n, at + bytes(8), half, ldb, t, ldt);
    }
    if (m != even) stream1(n, odd + bytes(p), b, ldb, last, ldt);
    b += ldb * 8;
  }
  for (; p < kc; p++) {
    for (let r = 0; r < even; r++) {
      axpy(n, v128.load32_splat(a + bytes((r & ~1) * kc + p * 2 + (r & 1))), b, sums + <usize>r * ldt);
    }
    if (m != even) axpy(n, v128.load32_splat(odd + bytes(p)), b, last);
    b += ldb;
  }
}

/** The same for three rows at once. */
function strip3(kc: i32, a: usize, b: usize, ldb: usize, n: i32, sums: usize, ldt: usize): void {
  let p = 0;
  for (; p + 3 <= kc; p += 3) {
    stream3(n, a + bytes(p * 3), b, ldb, sums, ldt);
    b += ldb * 3;
  }
  for (; p < kc; p++) {
    for (let r = 0; r < 3; r++) axpy(n, v128.load32_splat(a + bytes(p * 3 + r)), b, sums + <usize>r * ldt);
    b += ldb;
  }
}

function axpy(n: i32, a: v128, b: usize, t: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(t, madd(a, v128.load(b), v128.load(t)));
    b += 16;
    t += 16;
  }
  for (; i < n; i++) {
    v128.store32_lane(t, madd(a, v128.load32_zero(b), v128.load32_zero(t)), 0);
    b += 4;
    t += 4;
  }
}

/** The same where B is stored N × K: eight rows of it at once; a last partial group is copied to `spare` first. */
function stripT(m: i32, kc: i32, a: usize, b: usize, ldb: usize, n: i32, sums: usize, ldt: usize, spare: usize): void {
  for (let j = 0; j < n; j += 8) {
    let from = b + <usize>j * ldb;
    let ld = ldb;
    if (n - j < 8) {
      for (let q = 0; q < n - j; q++) memory.copy(spare + bytes(q * KC), from + <usize>q * ldb, bytes(kc));
      from = spare;
      ld = bytes(KC);
    }
    for (let r = 0; r < m; r += 4) dots(min(4, m - r), kc, a + bytes(r * kc), from, ld, sums + <usize>r * ldt + bytes(j), ldt);
  }
}

function dots(m: i32, kc: i32, a: usize, b: usize, ldb: usize, t: usize, ldt: usize): void {
  if (m == 1) dots1(kc, a, b, ldb, t, ldt);
  else if (m == 2) dots2(kc, a, b, ldb, t, ldt);
  else if (m == 3) dots3(kc, a, b, ldb, t, ldt);
  else dots4(kc, a, b, ldb, t, ldt);
}

/** Puts the sums of one block into C. */
function deliver(
  sums: usize, ldt: usize, c: usize, rowStep: usize, columnStep: usize, m: i32, n: i32, add: bool,
): void {
  for (let r = 0; r < m; r++) {
    let s = sums + <usize>r * ldt;
    let d = c + (<usize>r * rowStep << 2);
    let i = 0;
    if (columnStep == 1) {
      for (; i + 4 <= n; i += 4) {
        const v = v128.load(s);
        v128.store(d, add ? f32x4.add(v, v128.load(d)) : v);
        s += 16;
        d += 16;
      }
    }
    for (; i < n; i++) {
      const v = load<f32>(s);
      store<f32>(d, add ? v + load<f32>(d) : v);
      s += 4;
      d += columnStep << 2;
    }
  }
}

/** Scratch bytes that a thread needs for `gemv`. */
export function gemvScratch(): i32 {
  return (KC * ROWS + SUMS + KC * 8) * 4;
}
