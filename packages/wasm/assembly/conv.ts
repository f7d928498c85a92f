// Convolution forward: windows · filter, with bias and activation, and with max-pooling in the same pass.
import { imageTile4, imageTile8 } from './conv-tiles';
import { addRow, epilogue } from './epilogue';
import { activateRow } from './math';
import { panels, spill } from './gemm';
import { BLOCK, packWindows, padImages, windowTable } from './image';
import { packB } from './pack';
import { bytes, float, get, int, ptr, scratch, share } from './prelude';
import { MR } from './tiles';

/** Packs the whole filter into panels of 8 (or a last one of 4) columns. */
function packFilter(g: usize, to: usize): void {
  const k = int(g, 8) * int(g, 9), n = int(g, 7);
  for (let j = 0; j < n; j += 8) {
    const columns = min(8, n - j), width = columns > 4 ? 8 : 4;
    packB(false, ptr(g, 17), n, j, columns, width, 0, k, to);
    to += bytes(k * width);
  }
}

/** `rows` windows at `table` times the packed filter, to c; ldc in bytes. */
function windows(g: usize, table: usize, rows: i32, filter: usize, edge: usize, c: usize, ldc: usize): void {
  const r = int(g, 8), runs = int(g, 9), n = int(g, 7), k = r * runs;
  const atOnce = max(1, int(g, 27) / r), packed = table + ptr(g, 26), packs = int(g, 28) != 0;
  for (let q = 0; q < runs; q += atOnce) {
    const some = min(atOnce, runs - q), offsets = ptr(g, 10) + bytes(q), add = q > 0;
    if (packs) packWindows(table, rows, some, r, offsets, packed);
    let panel = filter;
    for (let j = 0; j < n; j += 8) {
      const columns = min(8, n - j), width = columns > 4 ? 8 : 4;
      const b = panel + bytes(q * r * width);
      let to = c + bytes(j);
      panel += bytes(k * width);
      if (packs) {
        panels(some * r, packed, b, width, to, ldc, rows, columns, add, edge);
        continue;
      }
      for (let i = 0; i < rows; i += MR) {
        const mr = min(MR, rows - i), t = table + bytes(i);
        if (mr == MR && columns == width) {
          if (width == 8) imageTile8(some, r, t, offsets, b, to, ldc, add);
          else imageTile4(some, r, t, offsets, b, to, ldc, add);
        } else {
          if (width == 8) imageTile8(some, r, t, offsets, b, edge, 32, false);
          else imageTile4(some, r, t, offsets, b, edge, 16, false);
          spill(edge, width, to, ldc, mr, columns, add);
        }
        to += <usize>MR * ldc;
      }
    }
  }
}

/** y = act(conv(x, filter) + bias). Arguments: image.ts; output pixels are shared out. */
export function opConv(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const table = scratch(g, thread), edge = table + bytes(BLOCK), filter = table + ptr(g, 22), padded = table + ptr(g, 23);
  const pixels = int(g, 5) * int(g, 6), n = int(g, 7), ldc = bytes(n);
  const end = share(int(g, 1) * pixels, MR, chunk + 1, chunks);
  packFilter(g, filter);
  let first = -1, last = -1;
  for (let i = share(int(g, 1) * pixels, MR, chunk, chunks); i < end; i += BLOCK) {
    const rows = min(BLOCK, end - i), b0 = i / pixels, b1 = (i + rows - 1) / pixels + 1;
    if (b0 != first || b1 != last) padImages(g, padded, b0, b1);
    first = b0;
    last = b1;
    windowTable(g, table, padded, b0, i, rows);
    const c = ptr(g, 18) + <usize>i * ldc;
    windows(g, table, rows, filter, edge, c, ldc);
    epilogue(c, <usize>n, 0, rows, 0, n, ptr(g, 19), int(g, 20), float(g, 21));
  }
}

/** y = maxPool(act(conv(x, filter) + bias)), act monotone. Pooled rows are shared out. 24 pooling */
export function opConvPool(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const table = scratch(g, thread), edge = table + bytes(BLOCK), filter = table + ptr(g, 22), padded = table + ptr(g, 23);
  const pool = int(g, 24), width = int(g, 6), n = int(g, 7), line = bytes(n);
  const down = int(g, 5) / pool, across = width / pool, images = int(g, 1);
  const end = share(images * down, 1, chunk + 1, chunks);
  const rows = padded + ptr(g, 25);
  packFilter(g, filter);
  // Several pooled rows at once, so that few tiles are cut short.
  const atOnce = max(1, BLOCK / (pool * width));
  let image = -1;
  for (let u = share(images * down, 1, chunk, chunks); u < end;) {
    const b = u / down, y = u % down, lines = min(min(atOnce, down - y), end - u), pixels = lines * pool * width;
    if (b != image) padImages(g, padded, b, b + 1);
    image = b;
    const start = (b * int(g, 5) + y * pool) * width;
    for (let i = 0; i < pixels; i += BLOCK) {
      const some = min(BLOCK, pixels - i);
      windowTable(g, table, padded, b, start + i, some);
      windows(g, table, some, filter, edge, rows + <usize>i * line, line);
    }
    const first = ptr(g, 18) + <usize>u * <usize>across * line;
    let to = first;
    for (let v = 0; v < lines; v++) {
      for (let x = 0; x < across; x++) {
        poolWindow(rows + <usize>((v * width + x) * pool) * line, pool, <usize>width * line, line, n, to);
        if (ptr(g, 19)) addRow(to, ptr(g, 19), n);
        to += line;
      }
    }
    activateRow(first, first, lines * across * n, int(g, 20), float(g, 21));
    u += lines;
  }
}

/** The largest of pool × pool pixels, per channel. */
function poolWindow(from: usize, pool: i32, down: usize, across: usize, n: i32, to: usize): void {
  let c = 0;
  for (; c + 4 <= n; c += 4) v128.store(to + bytes(c), largest(from + bytes(c), pool, down, across, false));
  for (; c < n; c++) v128.store32_lane(to + bytes(c), largest(from + bytes(c), pool, down, across, true), 0);
}

// @ts-ignore: decorator
@inline
function largest(from: usize, pool: i32, down: usize, across: usize, single: bool): v128 {
  let m = get(from, single);
  for (let y = 0; y < pool; y++) {
    let at = from + <usize>y * down;
    for (let x = 0; x < pool; x++) {
      m = f32x4.max(m, get(at, single));
      at += across;
    }
  }
  return m;
}
