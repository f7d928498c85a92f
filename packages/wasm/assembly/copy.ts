// Moving data: blocks with strides, and transposition.
import { joinHigh, joinLow, unpackHigh, unpackLow } from './pack';
import { bytes, int, ptr, share } from './prelude';
import { copyRow } from './rows';

/**
 * Blocks over up to four axes. Strides in bytes, 0 in the source repeats.
 *
 * 0 source, 1 target, 2 block bytes, 3–6 extents, 7–10 strides of the source, 11–14 of the target
 */
export function opCopy(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const block = ptr(g, 2), d1 = int(g, 4), d2 = int(g, 5), d3 = int(g, 6);
  const s3 = ptr(g, 10), t3 = ptr(g, 14);
  const lines = int(g, 3) * d1 * d2;
  const last = share(lines, 1, chunk + 1, chunks);
  for (let line = share(lines, 1, chunk, chunks); line < last; line++) {
    const i2 = <usize>(line % d2), i1 = <usize>((line / d2) % d1), i0 = <usize>(line / (d2 * d1));
    let s = ptr(g, 0) + i0 * ptr(g, 7) + i1 * ptr(g, 8) + i2 * ptr(g, 9);
    let t = ptr(g, 1) + i0 * ptr(g, 11) + i1 * ptr(g, 12) + i2 * ptr(g, 13);
    if (block == 4) {
      for (let i = 0; i < d3; i++) {
        store<i32>(t, load<i32>(s));
        s += s3;
        t += t3;
      }
    } else {
      for (let i = 0; i < d3; i++) {
        copyRow(t, s, block);
        s += s3;
        t += t3;
      }
    }
  }
}

/** Rows of a matrix that are dealt out at a time. */
const ROWS: i32 = 16;

/**
 * target[…, c, r] ← source[…, r, c], 4-byte elements, three outer axes. Strides in bytes.
 *
 * 0 source, 1 target, 2–4 outer extents, 5 R, 6 C, 7–9 outer strides of the source, 10 its row stride, 11–13 outer strides
 * of the target, 14 its row stride
 */
export function opTranspose(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const d1 = int(g, 3), d2 = int(g, 4), rows = int(g, 5), columns = int(g, 6);
  const ss = ptr(g, 10), ts = ptr(g, 14);
  const bands = (rows + ROWS - 1) / ROWS;
  const units = int(g, 2) * d1 * d2 * bands;
  const last = share(units, 1, chunk + 1, chunks);
  for (let unit = share(units, 1, chunk, chunks); unit < last; unit++) {
    const r = (unit % bands) * ROWS, outer = unit / bands;
    const i2 = <usize>(outer % d2), i1 = <usize>((outer / d2) % d1), i0 = <usize>(outer / (d2 * d1));
    const s = ptr(g, 0) + i0 * ptr(g, 7) + i1 * ptr(g, 8) + i2 * ptr(g, 9) + <usize>r * ss;
    const t = ptr(g, 1) + i0 * ptr(g, 11) + i1 * ptr(g, 12) + i2 * ptr(g, 13) + bytes(r);
    band(s, ss, t, ts, min(ROWS, rows - r), columns);
  }
}

function band(s: usize, ss: usize, t: usize, ts: usize, rows: i32, columns: i32): void {
  let c = 0;
  for (; c + 4 <= columns; c += 4) {
    let from = s + bytes(c), to = t + <usize>c * ts;
    let r = 0;
    for (; r + 4 <= rows; r += 4) {
      const r0 = v128.load(from), r1 = v128.load(from + ss), r2 = v128.load(from + ss * 2), r3 = v128.load(from + ss * 3);
      const t0 = unpackLow(r0, r1), t1 = unpackHigh(r0, r1), t2 = unpackLow(r2, r3), t3 = unpackHigh(r2, r3);
      v128.store(to, joinLow(t0, t2));
      v128.store(to + ts, joinHigh(t0, t2));
      v128.store(to + ts * 2, joinLow(t1, t3));
      v128.store(to + ts * 3, joinHigh(t1, t3));
      from += ss << 2;
      to += 16;
    }
    for (; r < rows; r++) {
      for (let q = 0; q < 4; q++) store<i32>(to + <usize>q * ts, load<i32>(from + bytes(q)));
      from += ss;
      to += 4;
    }
  }
  for (; c < columns; c++) {
    let from = s + bytes(c), to = t + <usize>c * ts;
    for (let r = 0; r < rows; r++) {
      store<i32>(to, load<i32>(from));
      from += ss;
      to += 4;
    }
  }
}

/** 0 n (elements of 4 bytes), 1 target, 2 the element's bits */
export function opFill(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), value = i32x4.splat(int(g, 2));
  const to = bytes(share(n, 16, chunk + 1, chunks)), out = ptr(g, 1);
  let i = bytes(share(n, 16, chunk, chunks));
  for (; i + 16 <= to; i += 16) v128.store(out + i, value);
  for (; i < to; i += 4) v128.store32_lane(out + i, value, 0);
}
