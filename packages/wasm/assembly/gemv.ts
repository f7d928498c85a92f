// One to four rows of A: B is streamed once and not packed. The same order of additions as in `gemm`.
import { KC } from './gemm';
import { bytes, madd } from './prelude';
import {
  dots1, dots2, dots3, dots4, stream1, stream2, stream3,
} from './tiles';

/** Columns per pass: the partial sums of four rows stay in the first cache. */
const STRIP: i32 = 1024;

/**
 * C (+)= alpha · op(A) · op(B) for m ≤ 4 and columns [n0, n1). Element (i, j) of C lies at c + 4 · (i · rowStep + j · columnStep).
 */
export function gemv(
  ta: bool, tb: bool, m: i32, k: i32, alpha: f32, a: usize, lda: usize, b: usize, ldb: usize,
  c: usize, rowStep: usize, columnStep: usize, n0: i32, n1: i32, add: bool, work: usize,
): void {
  const packed = work; // KC × m of alpha · A
  const sums = work + bytes(KC * 4);
  for (let j = n0; j < n1; j += STRIP) {
    const n = min(STRIP, n1 - j);
    const ldt = bytes((n + 7) & ~7);
    let adding = add;
    if (k == 0) {
      memory.fill(sums, 0, ldt * <usize>m);
      deliver(sums, ldt, c + (<usize>j * columnStep << 2), rowStep, columnStep, m, n, adding);
    }
    for (let p = 0; p < k; p += KC) {
      const kc = min(KC, k - p);
      if (m == 4 && !tb) {
        packFew(ta, a, lda, 0, 2, p, kc, alpha, packed);
        packFew(ta, a, lda, 2, 2, p, kc, alpha, packed + bytes(2 * kc));
      } else packFew(ta, a, lda, 0, m, p, kc, alpha, packed);
      if (tb) stripT(m, kc, packed, b + (<usize>j * ldb + <usize>p) * 4, ldb << 2, n, sums, ldt, packed + bytes(KC * 4 + STRIP * 4));
      else {
        memory.fill(sums, 0, ldt * <usize>m);
        strip(m, kc, packed, b + (<usize>p * ldb + <usize>j) * 4, ldb << 2, n, sums, ldt);
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

/** sums[m, n] += A · B over kc streamed rows of B; four rows as two pairs, `a` then holding one pair after the other. */
function strip(m: i32, kc: i32, a: usize, b: usize, ldb: usize, n: i32, sums: usize, ldt: usize): void {
  const depth = m == 1 ? 8 : m == 3 ? 3 : 4;
  const together = min(m, m == 4 ? 2 : m);
  const second = a + bytes(2 * kc);
  let p = 0;
  for (; p + depth <= kc; p += depth) {
    const at = bytes(p * together);
    if (m == 1) stream1(n, a + at, b, ldb, sums, ldt);
    else if (m == 3) stream3(n, a + at, b, ldb, sums, ldt);
    else {
      stream2(n, a + at, b, ldb, sums, ldt);
      if (m == 4) stream2(n, second + at, b, ldb, sums + ldt * 2, ldt);
    }
    b += <usize>depth * ldb;
  }
  for (; p < kc; p++) {
    for (let r = 0; r < m; r++) {
      const at = (r < together ? a : second) + bytes(p * together + (r < together ? r : r - 2));
      axpy(n, v128.load32_splat(at), b, sums + <usize>r * ldt);
    }
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
    const t = sums + bytes(j);
    if (m == 1) dots1(kc, a, from, ld, t, ldt);
    else if (m == 2) dots2(kc, a, from, ld, t, ldt);
    else if (m == 3) dots3(kc, a, from, ld, t, ldt);
    else dots4(kc, a, from, ld, t, ldt);
  }
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
  return (KC * 4 + STRIP * 4 + KC * 8) * 4;
}
