// Sums and extremes along axes. Sums go by blocks, so their error grows with the block and not with the length.
import { bytes, float, int, lanesMax, lanesSum, ptr, scratch, share } from './prelude';

const BLOCK: i32 = 1024;

/** The sum of a line: blocks in float32 with 16 partial sums, the blocks in float64. */
export function lineSum(x: usize, n: i32): f64 {
  let total: f64 = 0;
  for (let from = 0; from < n; from += BLOCK) {
    const count = min(BLOCK, n - from);
    let a = f32x4.splat(0), b = a, c = a, d = a;
    let i = 0;
    for (; i + 16 <= count; i += 16) {
      a = f32x4.add(a, v128.load(x));
      b = f32x4.add(b, v128.load(x, 16));
      c = f32x4.add(c, v128.load(x, 32));
      d = f32x4.add(d, v128.load(x, 48));
      x += 64;
    }
    let sum = lanesSum(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
    for (; i < count; i++) {
      sum += load<f32>(x);
      x += 4;
    }
    total += <f64>sum;
  }
  return total;
}

/** out[i] ← scale · Σ of line i. 0 lines, 1 length, 2 x, 3 out, 4 scale */
export function opSumLines(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const lines = int(g, 0), n = int(g, 1), scale = <f64>float(g, 4);
  const last = share(lines, 1, chunk + 1, chunks);
  for (let i = share(lines, 1, chunk, chunks); i < last; i++) {
    store<f32>(ptr(g, 3) + bytes(i), <f32>(lineSum(ptr(g, 2) + <usize>i * bytes(n), n) * scale));
  }
}

/** The float64 sums of `parts` equal spans (the last shorter) of one line. 0 parts, 1 length, 2 x, 3 out, 4 span */
export function opSumSpans(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const parts = int(g, 0), n = int(g, 1), span = int(g, 4);
  const last = share(parts, 1, chunk + 1, chunks);
  for (let i = share(parts, 1, chunk, chunks); i < last; i++) {
    const from = i * span;
    store<f64>(ptr(g, 3) + (<usize>i << 3), lineSum(ptr(g, 2) + bytes(from), min(span, n - from)));
  }
}

/** Rows that are added up before their sum is added to the others'. */
const ROWS: i32 = 128;
/** Columns that a thread keeps at a time. */
const STRIP: i32 = 512;

/**
 * out[o, j] ← scale · Σ over r of x[o, r, j]. 0 outer, 1 rows, 2 columns, 3 x, 4 out, 5 scale
 */
export function opSumRows(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const outer = int(g, 0), rows = int(g, 1), columns = int(g, 2);
  const strips = (columns + STRIP - 1) / STRIP;
  const units = outer * strips;
  const last = share(units, 1, chunk + 1, chunks);
  for (let unit = share(units, 1, chunk, chunks); unit < last; unit++) {
    const o = unit / strips, j = (unit % strips) * STRIP, n = min(STRIP, columns - j);
    const out = ptr(g, 4) + (<usize>o * <usize>columns + <usize>j << 2);
    let x = ptr(g, 3) + (<usize>o * <usize>rows * <usize>columns + <usize>j << 2);
    memory.fill(out, 0, bytes(n));
    const sums = scratch(g, thread);
    for (let r = 0; r < rows; r += ROWS) {
      const count = min(ROWS, rows - r);
      const target = rows <= ROWS ? out : sums;
      if (target == sums) memory.fill(sums, 0, bytes(n));
      for (let q = 0; q < count; q++) {
        accumulate(target, x, n);
        x += bytes(columns);
      }
      if (target == sums) accumulate(out, sums, n);
    }
    scaleLine(out, n, float(g, 5));
  }
}

function accumulate(to: usize, x: usize, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(to, f32x4.add(v128.load(to), v128.load(x)));
    to += 16;
    x += 16;
  }
  for (; i < n; i++) {
    store<f32>(to, load<f32>(to) + load<f32>(x));
    to += 4;
    x += 4;
  }
}

function scaleLine(x: usize, n: i32, scale: f32): void {
  if (scale == 1) return;
  for (let i = 0; i < n; i++) {
    store<f32>(x, load<f32>(x) * scale);
    x += 4;
  }
}

/** out[i] ← the largest (sign 1) or smallest (sign −1) of line i. 0 lines, 1 length, 2 x, 3 out, 4 sign */
export function opExtreme(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const lines = int(g, 0), n = int(g, 1);
  const last = share(lines, 1, chunk + 1, chunks);
  for (let i = share(lines, 1, chunk, chunks); i < last; i++) {
    const x = ptr(g, 2) + <usize>i * bytes(n);
    store<f32>(ptr(g, 3) + bytes(i), int(g, 4) > 0 ? lineMax(x, n) : lineMin(x, n));
  }
}

/** The largest element of a line; NaN where there is one. */
export function lineMax(x: usize, n: i32): f32 {
  let best = f32x4.splat(-Infinity);
  let i = 0;
  for (; i + 4 <= n; i += 4) best = f32x4.max(best, v128.load(x + bytes(i)));
  let top = lanesMax(best);
  for (; i < n; i++) top = max(top, load<f32>(x + bytes(i)));
  return top;
}

function lineMin(x: usize, n: i32): f32 {
  let best = f32x4.splat(-Infinity);
  let i = 0;
  for (; i + 4 <= n; i += 4) best = f32x4.max(best, f32x4.neg(v128.load(x + bytes(i))));
  let top = lanesMax(best);
  for (; i < n; i++) top = max(top, -load<f32>(x + bytes(i)));
  return -top;
}
