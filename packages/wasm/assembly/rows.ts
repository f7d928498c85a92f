// Rows that are chosen by number: block copies and ordered sums.
import { bytes, int, ptr, share } from './prelude';

/** out[i] ← x[rows[i]], i < n. 0 n, 1 row bytes, 2 x, 3 rows, 4 out */
export function opGatherRows(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), size = ptr(g, 1), x = ptr(g, 2), rows = ptr(g, 3);
  const last = share(n, 1, chunk + 1, chunks);
  let i = share(n, 1, chunk, chunks);
  let out = ptr(g, 4) + <usize>i * size;
  if (size == 4) {
    for (; i < last; i++) {
      store<i32>(out, load<i32>(x + bytes(int(rows, i))));
      out += 4;
    }
    return;
  }
  for (; i < last; i++) {
    copyRow(out, x + ptr(rows, i) * size, size);
    out += size;
  }
}

/** memory.copy is a call into the engine: short rows are copied here. */
// @ts-ignore: decorator
@inline
export function copyRow(to: usize, from: usize, size: usize): void {
  if (size > 512) {
    memory.copy(to, from, size);
    return;
  }
  let i: usize = 0;
  for (; i + 16 <= size; i += 16) v128.store(to + i, v128.load(from + i));
  for (; i + 4 <= size; i += 4) store<i32>(to + i, load<i32>(from + i));
  for (; i < size; i++) store<u8>(to + i, load<u8>(from + i));
}

/**
 * into[rows[i]] += scale[i] · x[i], i < n, in this order; rows below 0 or from `limit` on are skipped.
 * Threads share out the columns, so the sums do not depend on them.
 *
 * 0 n, 1 columns, 2 x, 3 rows, 4 into, 5 scale or 0, 6 limit
 */
export function opScatterAddRows(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), columns = int(g, 1), rows = ptr(g, 3), scales = ptr(g, 5), limit = int(g, 6);
  const from = share(columns, 4, chunk, chunks), count = share(columns, 4, chunk + 1, chunks) - from;
  if (count <= 0) return;
  const into = ptr(g, 4) + bytes(from);
  let x = ptr(g, 2) + bytes(from);
  for (let i = 0; i < n; i++) {
    const row = int(rows, i);
    if (<u32>row < <u32>limit) {
      const target = into + (<usize>row * <usize>columns << 2);
      if (scales) addScaled(target, x, f32x4.splat(load<f32>(scales + bytes(i))), count);
      else add(target, x, count);
    }
    x += bytes(columns);
  }
}

function add(to: usize, x: usize, n: i32): void {
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

function addScaled(to: usize, x: usize, scale: v128, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(to, f32x4.add(v128.load(to), f32x4.mul(scale, v128.load(x))));
    to += 16;
    x += 16;
  }
  for (; i < n; i++) {
    v128.store32_lane(to, f32x4.add(v128.load32_zero(to), f32x4.mul(scale, v128.load32_zero(x))), 0);
    to += 4;
    x += 4;
  }
}
