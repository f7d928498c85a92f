// C (+)= alpha · op(A) · op(B): packed blocks through register tiles.
// Every path adds up the depth in the same order (in blocks of KC, each from zero), so a row's bits do not depend on how
// many rows there are, on the path or on the threads.
import { packA, packStrip } from './pack';
import { bytes } from './prelude';
import { MR, short8, tile4, tile8 } from './tiles';

export const KC: i32 = 384;
const MC: i32 = MR * 32;
/** Columns that are packed at a time: whole cache lines of each row of B. */
const NC: i32 = 64;

/** Depth up to which C is walked along its rows. */
const SHALLOW: i32 = 128;

/** Columns [n0, n1) and rows [m0, m1) of C; leading dimensions in elements. `work` needs GEMM_SCRATCH bytes. */
export function gemm(
  ta: bool, tb: bool, k: i32, alpha: f32, a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize,
  m0: i32, m1: i32, n0: i32, n1: i32, add: bool, work: usize,
): void {
  const panelB = work + bytes(MC * KC);
  const edge = panelB + bytes(KC * NC);
  if (k == 0 && !add) clear(c, ldc, m0, m1, n0, n1);
  if (k <= SHALLOW && k > 0 && m1 - m0 > MC) {
    shallow(ta, tb, k, alpha, a, lda, b, ldb, c, ldc, m0, m1, n0, n1, add, work);
    return;
  }
  for (let p = 0; p < k; p += KC) {
    const kc = min(KC, k - p);
    for (let i = m0; i < m1; i += MC) {
      const rows = min(MC, m1 - i);
      packA(ta, a, lda, i, i + rows, p, kc, alpha, work);
      for (let j = n0; j < n1; j += NC) {
        const end = min(n1, j + NC);
        packStrip(tb, b, ldb, j, end, p, kc, panelB);
        let panel = panelB;
        for (let q = j; q < end; q += 8) {
          const columns = min(8, end - q), width = columns > 4 ? 8 : 4;
          panels(kc, work, panel, width, c + (<usize>i * ldc + <usize>q) * 4, ldc << 2, rows, columns, add, edge);
          panel += bytes(kc * 8);
        }
      }
    }
    add = true;
  }
}

/**
 * A product of little depth is an update of C, and most of its time goes into reaching C: all of B that fits is packed
 * at once, so that C is read and written along its rows.
 */
function shallow(
  ta: bool, tb: bool, k: i32, alpha: f32, a: usize, lda: usize, b: usize, ldb: usize, c: usize, ldc: usize,
  m0: i32, m1: i32, n0: i32, n1: i32, add: bool, work: usize,
): void {
  const panelA = work + bytes(MC * KC);
  const edge = panelA + bytes(KC * NC);
  const wide = ((MC * KC) / k) & ~7, high = ((KC * NC) / (k * MR)) * MR;
  for (let j = n0; j < n1; j += wide) {
    const end = min(n1, j + wide);
    packStrip(tb, b, ldb, j, end, 0, k, work);
    for (let i = m0; i < m1; i += high) {
      const last = min(m1, i + high);
      packA(ta, a, lda, i, last, 0, k, alpha, panelA);
      let rowPanel = panelA;
      for (let r = i; r < last; r += MR) {
        const rows = min(MR, last - r);
        let panel = work, at = c + (<usize>r * ldc + <usize>j) * 4;
        for (let q = j; q < end; q += 8) {
          const columns = min(8, end - q);
          tile(k, rowPanel, panel, columns > 4 ? 8 : 4, at, ldc << 2, rows, columns, add, edge);
          panel += bytes(k * 8);
          at += 32;
        }
        rowPanel += bytes(k * MR);
      }
    }
  }
}

/** All row panels of a block against one panel of B; ldc in bytes. */
export function panels(
  kc: i32, a: usize, b: usize, width: i32, c: usize, ldc: usize, rows: i32, columns: i32, add: bool, edge: usize,
): void {
  for (let i = 0; i < rows; i += MR) {
    tile(kc, a, b, width, c, ldc, min(MR, rows - i), columns, add, edge);
    a += bytes(MR * kc);
    c += <usize>MR * ldc;
  }
}

/** One tile of C, by way of `edge` where only a part of it lies inside. */
// @ts-ignore: decorator
@inline
function tile(
  kc: i32, a: usize, b: usize, width: i32, c: usize, ldc: usize, rows: i32, columns: i32, add: bool, edge: usize,
): void {
  const short = rows <= 4 && width == 8;
  if (columns == width && (rows == MR || (short && rows == 4))) {
    if (short) short8(kc, a, b, c, ldc, add);
    else if (width == 8) tile8(kc, a, b, c, ldc, add);
    else tile4(kc, a, b, c, ldc, add);
  } else {
    if (short) short8(kc, a, b, edge, 32, false);
    else if (width == 8) tile8(kc, a, b, edge, 32, false);
    else tile4(kc, a, b, edge, 16, false);
    spill(edge, width, c, ldc, rows, columns, add);
  }
}

/** Copies the part of an edge tile that lies inside of C. */
export function spill(edge: usize, width: i32, c: usize, ldc: usize, rows: i32, columns: i32, add: bool): void {
  for (let r = 0; r < rows; r++) {
    let q = 0;
    for (; q + 4 <= columns; q += 4) {
      const d = c + bytes(q);
      const v = v128.load(edge + bytes(q));
      v128.store(d, add ? f32x4.add(v, v128.load(d)) : v);
    }
    for (; q < columns; q++) {
      const d = c + bytes(q);
      const v = load<f32>(edge + bytes(q));
      store<f32>(d, add ? v + load<f32>(d) : v);
    }
    edge += bytes(width);
    c += ldc;
  }
}

function clear(c: usize, ldc: usize, m0: i32, m1: i32, n0: i32, n1: i32): void {
  for (let i = m0; i < m1; i++) memory.fill(c + (<usize>i * ldc + <usize>n0) * 4, 0, bytes(n1 - n0));
}

/** Scratch bytes that a thread needs for `gemm`. */
export function gemmScratch(): i32 {
  return (MC * KC + KC * NC + MR * 8) * 4;
}
