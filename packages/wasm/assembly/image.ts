// Images as implicit matrices: a row is the window of an output pixel. Windows are read where they lie, in a zero-padded
// copy of a few images at a time, so that no window leaves the image. Here: the arguments, the copy, the addresses.
import { joinHigh, joinLow, unpackHigh, unpackLow } from './pack';
import { bytes, int, ptr } from './prelude';
import { MR } from './tiles';

/** Rows (output pixels) of a block. */
export const BLOCK: i32 = MR * 40;

/**
 * Arguments that all convolutions share: 0 image (x or dx), 1 batch, 2 height, 3 width, 4 channels, 5 output height, 6 output
 * width, 7 output channels, 8 run length (floats of a window that are neighbours), 9 runs of a window, 10 addresses of the
 * runs' offsets (bytes, in the padded image), 11 stride down, 12 stride across, 13 padding above, 14 left, 15 padded height,
 * 16 padded width, 17 filter, 18 output (y or dy), 19 bias or 0, 20 activation, 21 its parameter,
 * 22 bytes in scratch before the packed filter, 23 before the padded images, 24 pooling, 25 before what an op needs further,
 * 26 before the packed windows, 27 depth that a pass of the tiles sums up (unless one run is longer), 28 whether windows are packed
 */
// @ts-ignore: decorator
@inline
export function isPadded(g: usize): bool {
  return int(g, 13) != 0 || int(g, 14) != 0 || int(g, 15) != int(g, 2) || int(g, 16) != int(g, 3);
}

/** Bytes of a padded image. */
// @ts-ignore: decorator
@inline
export function paddedBytes(g: usize): usize {
  return (<usize>int(g, 15) * <usize>int(g, 16) * <usize>int(g, 4)) << 2;
}

/** Where image `b` lies if images from `first` on were padded into `padded`; in place where nothing is padded. */
// @ts-ignore: decorator
@inline
export function imageAt(g: usize, padded: usize, first: i32, b: i32): usize {
  return isPadded(g) ? padded + <usize>(b - first) * paddedBytes(g) : ptr(g, 0) + <usize>b * paddedBytes(g);
}

/** Copies images [first, last) into `padded`, zeros around them; nothing where nothing is padded. */
export function padImages(g: usize, padded: usize, first: i32, last: i32): void {
  if (!isPadded(g)) return;
  const row = bytes(int(g, 3) * int(g, 4)), line = bytes(int(g, 16) * int(g, 4)), size = paddedBytes(g);
  memory.fill(padded, 0, <usize>(last - first) * size);
  for (let b = first; b < last; b++) {
    let from = ptr(g, 0) + <usize>b * <usize>int(g, 2) * row;
    let to = padded + <usize>int(g, 13) * line + bytes(int(g, 14) * int(g, 4));
    for (let y = int(g, 2); y > 0; y--) {
      memory.copy(to, from, row);
      from += row;
      to += line;
    }
    padded += size;
  }
}

/** Addresses of the windows of output pixels [i, i + rows), counted through the batch; filled up to whole tiles. */
export function windowTable(g: usize, table: usize, padded: usize, first: i32, i: i32, rows: i32): void {
  const width = int(g, 6), pixels = int(g, 5) * width;
  const across = bytes(int(g, 12) * int(g, 4)), down = bytes(int(g, 11) * int(g, 16) * int(g, 4));
  let b = i / pixels, y = (i % pixels) / width, x = (i % pixels) % width;
  let at = imageAt(g, padded, first, b) + <usize>y * down + <usize>x * across;
  for (let r = 0; r < rows; r++) {
    store<u32>(table, <u32>at);
    table += 4;
    x++;
    at += across;
    if (x == width) {
      x = 0;
      y++;
      if (y == int(g, 5)) {
        y = 0;
        b++;
      }
      at = imageAt(g, padded, first, b) + <usize>y * down;
    }
  }
  const last = load<u32>(table - 4);
  for (let r = rows; r % MR != 0; r++) {
    store<u32>(table, last);
    table += 4;
  }
}

/** Packs `runs` runs of the windows at `table` into panels of MR rows, as `packA` does. */
export function packWindows(table: usize, rows: i32, runs: i32, r: i32, offsets: usize, to: usize): void {
  for (let i = 0; i < rows; i += MR) {
    for (let q = 0; q < runs; q++) {
      packRun(table + bytes(i), <usize>load<u32>(offsets + bytes(q)), r, to);
      to += bytes(r * MR);
    }
  }
}

/** One run of MR windows. */
function packRun(table: usize, offset: usize, r: i32, to: usize): void {
  let i = 0;
  for (; i + 4 <= MR; i += 4) {
    let p0 = offset + <usize>load<u32>(table + bytes(i)), p1 = offset + <usize>load<u32>(table + bytes(i), 4);
    let p2 = offset + <usize>load<u32>(table + bytes(i), 8), p3 = offset + <usize>load<u32>(table + bytes(i), 12);
    let d = to + bytes(i), k = r;
    for (; k >= 4; k -= 4) {
      const r0 = v128.load(p0), r1 = v128.load(p1), r2 = v128.load(p2), r3 = v128.load(p3);
      const t0 = unpackLow(r0, r1), t1 = unpackHigh(r0, r1), t2 = unpackLow(r2, r3), t3 = unpackHigh(r2, r3);
      v128.store(d, joinLow(t0, t2));
      v128.store(d + bytes(MR), joinHigh(t0, t2));
      v128.store(d + bytes(2 * MR), joinLow(t1, t3));
      v128.store(d + bytes(3 * MR), joinHigh(t1, t3));
      d += bytes(4 * MR);
      p0 += 16; p1 += 16; p2 += 16; p3 += 16;
    }
    for (; k > 0; k--) {
      store<f32>(d, load<f32>(p0));
      store<f32>(d, load<f32>(p1), 4);
      store<f32>(d, load<f32>(p2), 8);
      store<f32>(d, load<f32>(p3), 12);
      d += bytes(MR);
      p0 += 4; p1 += 4; p2 += 4; p3 += 4;
    }
  }
  for (; i < MR; i++) {
    let p = offset + <usize>load<u32>(table + bytes(i)), d = to + bytes(i), k = r;
    for (; k >= 4; k -= 4) {
      const v = v128.load(p);
      v128.store32_lane(d, v, 0);
      v128.store32_lane(d + bytes(MR), v, 1);
      v128.store32_lane(d + bytes(2 * MR), v, 2);
      v128.store32_lane(d + bytes(3 * MR), v, 3);
      d += bytes(4 * MR);
      p += 16;
    }
    for (; k > 0; k--) {
      store<f32>(d, load<f32>(p));
      d += bytes(MR);
      p += 4;
    }
  }
}
