// Convolution forward for few input channels and no stride across: four neighbouring pixels of two rows in registers, times
// single weights. Channels become planes first, so that neighbours are neighbours in memory, and no column of a tile is idle.
import { planeTile4, planeTileOdd } from './conv-tiles';
import { activateRow } from './math';
import { joinHigh, joinLow, unpackHigh, unpackLow } from './pack';
import { bytes, float, int, ptr, scratch, share } from './prelude';
import { copyRow } from './rows';

/** Channels of `planeTileOdd`: two rows of them fill the registers. */
const ODD: i32 = FMA ? 6 : 3;

/** Output channels that the next tile takes where `rest` are left: as few idle ones as possible. */
// @ts-ignore: decorator
@inline
function next(rest: i32): i32 {
  const over = rest & 3;
  if (rest == ODD) return ODD;
  return rest > 4 && (over == 1 || over == 2) ? ODD : 4;
}

/** Packs per tile its biases, then its weights tap by tap; channels that are not there are 0. */
function packTaps(g: usize, to: usize): void {
  const taps = int(g, 8), n = int(g, 7), bias = ptr(g, 17);
  for (let j = 0; j < n;) {
    const width = next(n - j);
    for (let t = -1; t < taps; t++) {
      const from = (t < 0 ? bias : ptr(g, 15) + bytes(t * n)) + bytes(j);
      for (let i = 0; i < width; i++) {
        const there = j + i < n && (t >= 0 || bias != 0);
        store<f32>(to, there ? load<f32>(from + bytes(i)) : 0);
        to += 4;
      }
    }
    j += width;
  }
}

/** Copies image `b` into planes, inside of their zero borders. */
function copyPlanes(g: usize, b: i32, to: usize): void {
  const height = int(g, 2), width = int(g, 3), channels = int(g, 4), line = bytes(int(g, 14));
  for (let c = 0; c < channels; c++) {
    let from = ptr(g, 0) + bytes(b * height * width * channels + c);
    let at = to + <usize>(c * int(g, 13) + int(g, 11)) * line + bytes(int(g, 12));
    for (let y = 0; y < height; y++) {
      if (channels == 1) copyRow(at, from, bytes(width));
      else {
        for (let x = 0; x < width; x++) store<f32>(at + bytes(x), load<f32>(from + bytes(x * channels)));
      }
      from += bytes(width * channels);
      at += line;
    }
  }
}

/** Two rows of outputs as planes (or the larger of both), from the window whose corner lies at `at`. */
function sums(g: usize, at: usize, filter: usize, planes: usize, line: usize, plane: usize, pooled: bool): void {
  const taps = int(g, 8), n = int(g, 7), width = int(g, 6), offsets = ptr(g, 9);
  const down = bytes(int(g, 10) * int(g, 14));
  for (let j = 0; j < n;) {
    const some = next(n - j);
    for (let x = 0; x < width; x += 4) {
      if (some == 4) planeTile4(taps, offsets, at + bytes(x), down, filter, planes + bytes(x), plane, line, pooled);
      else planeTileOdd(taps, offsets, at + bytes(x), down, filter, planes + bytes(x), plane, line, pooled);
    }
    filter += bytes(some * (taps + 1));
    planes += <usize>some * plane;
    j += some;
  }
}

/** Stores the first `some` lanes. */
// @ts-ignore: decorator
@inline
function storeSome(to: usize, v: v128, some: i32): void {
  if (some == 4) v128.store(to, v);
  else {
    if (some >= 2) v128.store64_lane(to, v, 0);
    if (some == 1) v128.store32_lane(to, v, 0);
    if (some == 3) v128.store32_lane(to, v, 2, 8);
  }
}

/** Turns a row of planes into pixels of n channels; of pooled ones each is the larger of two. */
function deliver(planes: usize, plane: usize, across: i32, n: i32, pooled: bool, to: usize): void {
  const perBlock = pooled ? 2 : 4;
  for (let x = 0; x < across; x += perBlock) {
    const count = min(perBlock, across - x);
    let from = planes;
    for (let c = 0; c < n; c += 4) {
      const r0 = v128.load(from), r1 = v128.load(from + plane);
      const r2 = v128.load(from + plane * 2), r3 = v128.load(from + plane * 3);
      const t0 = unpackLow(r0, r1), t1 = unpackHigh(r0, r1), t2 = unpackLow(r2, r3), t3 = unpackHigh(r2, r3);
      let p0 = joinLow(t0, t2), p1 = joinHigh(t0, t2);
      const p2 = joinLow(t1, t3), p3 = joinHigh(t1, t3);
      if (pooled) {
        p0 = f32x4.max(p0, p1);
        p1 = f32x4.max(p2, p3);
      }
      const some = min(4, n - c), d = to + bytes(c);
      storeSome(d, p0, some);
      if (count > 1) storeSome(d + bytes(n), p1, some);
      if (count > 2) storeSome(d + bytes(2 * n), p2, some);
      if (count > 3) storeSome(d + bytes(3 * n), p3, some);
      from += plane << 2;
    }
    planes += 16;
    to += bytes(count * n);
  }
}

/**
 * y = act(conv(x, filter) + bias), or the largest of 2 × 2 of them. Pairs of output rows are shared out.
 *
 * 0 image, 1 batch, 2 height, 3 width, 4 channels, 5 output height, 6 output width, 7 output channels, 8 taps (filter positions ×
 * channels), 9 addresses of the taps' offsets (bytes, in the planes), 10 stride down, 11 padding above, 12 left,
 * 13 padded height, 14 padded width, 15 filter, 16 output, 17 bias or 0, 18 activation (monotone), 19 its parameter,
 * 20 pooling (1 or 2), 21 bytes in scratch before the planes of the image, 22 before those of two rows of outputs
 */
export function opConvDirect(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const filter = scratch(g, thread), padded = filter + ptr(g, 21), planes = filter + ptr(g, 22);
  const height = int(g, 5), width = int(g, 6), n = int(g, 7), pooled = int(g, 20) == 2;
  const pairs = pooled ? height >> 1 : (height + 1) >> 1, across = pooled ? width >> 1 : width;
  const line = bytes((width + 3) & ~3), plane = pooled ? line : line * 2, row = bytes(across * n);
  const end = share(int(g, 1) * pairs, 1, chunk + 1, chunks);
  packTaps(g, filter);
  memory.fill(padded, 0, bytes(int(g, 4) * int(g, 13) * int(g, 14)));
  let image = -1;
  for (let u = share(int(g, 1) * pairs, 1, chunk, chunks); u < end; u++) {
    const b = u / pairs, y = (u % pairs) * 2;
    if (b != image) copyPlanes(g, b, padded);
    image = b;
    sums(g, padded + bytes(y * int(g, 10) * int(g, 14)), filter, planes, line, plane, pooled);
    const rows = pooled ? 1 : min(2, height - y);
    const to = ptr(g, 16) + <usize>(pooled ? u : b * height + y) * row;
    for (let r = 0; r < rows; r++) deliver(planes + <usize>r * line, plane, across, n, pooled, to + <usize>r * row);
    if (int(g, 18)) activateRow(to, to, rows * across * n, int(g, 18), float(g, 19));
  }
}
