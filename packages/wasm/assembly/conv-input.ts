// The gradient of a convolution with respect to its input: dy · filterᵀ, each pixel's row added at its window.
import { scatterTile4, scatterTile8 } from './conv-tiles';
import { tile4, tile8 } from './tiles';
import { BLOCK, imageAt, isPadded, paddedBytes, windowTable } from './image';
import { packA, packB } from './pack';
import { bytes, int, ptr, scratch, share } from './prelude';
import { MR } from './tiles';

/** Packs filterᵀ, channels [p, p + kc): panels of 8 (or 4) window elements, run by run. */
function packTransposed(g: usize, p: i32, kc: i32, to: usize): void {
  const r = int(g, 8), runs = int(g, 9), n = int(g, 7);
  for (let q = 0; q < runs; q++) {
    for (let e = 0; e < r; e += 8) {
      const columns = min(8, r - e), width = columns > 4 ? 8 : 4;
      packB(true, ptr(g, 17), n, q * r + e, columns, width, p, kc, to);
      to += bytes(kc * width);
    }
  }
}

/** Adds the `mr` × `columns` part of a tile at windows. */
function addAtWindows(edge: usize, width: i32, table: usize, offset: usize, mr: i32, columns: i32): void {
  for (let i = 0; i < mr; i++) {
    const to = offset + <usize>load<u32>(table + bytes(i));
    for (let c = 0; c < columns; c++) {
      store<f32>(to + bytes(c), load<f32>(to + bytes(c)) + load<f32>(edge + bytes(c)));
    }
    edge += bytes(width);
  }
}

/** All window elements of `rows` pixels whose packed rows of dy lie at `a`. */
function scatter(g: usize, table: usize, rows: i32, kc: i32, a: usize, filter: usize, edge: usize): void {
  const r = int(g, 8), runs = int(g, 9);
  for (let q = 0; q < runs; q++) {
    const run = <usize>load<u32>(ptr(g, 10) + bytes(q));
    for (let e = 0; e < r; e += 8) {
      const columns = min(8, r - e), width = columns > 4 ? 8 : 4, offset = run + bytes(e);
      for (let i = 0; i < rows; i += MR) {
        const mr = min(MR, rows - i), t = table + bytes(i), from = a + bytes(i * kc);
        if (mr == MR && columns == width) {
          if (width == 8) scatterTile8(kc, from, filter, t, offset);
          else scatterTile4(kc, from, filter, t, offset);
        } else {
          if (width == 8) tile8(kc, from, filter, edge, 32, false);
          else tile4(kc, from, filter, edge, 16, false);
          addAtWindows(edge, width, t, offset, mr, columns);
        }
      }
      filter += bytes(kc * width);
    }
  }
}

/** Copies the inside of a padded gradient to image `b`. */
function crop(g: usize, padded: usize, b: i32): void {
  const row = bytes(int(g, 3) * int(g, 4)), line = bytes(int(g, 16) * int(g, 4));
  let to = ptr(g, 0) + <usize>b * <usize>int(g, 2) * row;
  let from = padded + <usize>int(g, 13) * line + bytes(int(g, 14) * int(g, 4));
  for (let y = int(g, 2); y > 0; y--) {
    memory.copy(to, from, row);
    to += row;
    from += line;
  }
}

/** dx. Arguments: image.ts; images are shared out. 25 bytes in scratch before the packed rows of dy */
export function opConvInput(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const table = scratch(g, thread), edge = table + bytes(BLOCK), filter = table + ptr(g, 22), padded = table + ptr(g, 23);
  const a = table + ptr(g, 25), n = int(g, 7), pixels = int(g, 5) * int(g, 6);
  const b0 = share(int(g, 1), 1, chunk, chunks), b1 = share(int(g, 1), 1, chunk + 1, chunks);
  const depth = int(g, 27), oneDepth = n <= depth;
  if (oneDepth) packTransposed(g, 0, n, filter);
  for (let b = b0; b < b1; b++) {
    memory.fill(imageAt(g, padded, b, b), 0, paddedBytes(g));
    for (let p = 0; p < n; p += depth) {
      const kc = min(depth, n - p);
      if (!oneDepth) packTransposed(g, p, kc, filter);
      for (let i = 0; i < pixels; i += BLOCK) {
        const rows = min(BLOCK, pixels - i), start = b * pixels + i;
        windowTable(g, table, padded, b, start, rows);
        packA(false, ptr(g, 18), n, start, start + rows, p, kc, 1, a);
        scatter(g, table, rows, kc, a, filter, edge);
      }
    }
    if (isPadded(g)) crop(g, padded, b);
  }
}
