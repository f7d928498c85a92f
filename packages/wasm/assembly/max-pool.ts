// Max-pooling and its gradient. Channels side by side, four at once; the last four overlap the ones before, as every result
// is only stored, never added to.
import { bytes, get, int, ptr, put, share } from './prelude';
import { firstTap, lastTap } from './window';

/** What no value is below; NaN is ignored, as on tfjs's cpu backend. */
const LOWEST: f32 = -Infinity;

/**
 * y. Rows of outputs are shared out. Arguments as in window.ts: 0 x, 1 batch, 2 height, 3 width, 4 channels, 5 output height,
 * 6 output width, 8 window height, 9 width, 10 stride down, 11 across, 12 dilation down, 13 across, 14 padding above, 15 left, 18 y
 */
export function opMaxPool(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 4), height = int(g, 5), width = int(g, 6), end = share(int(g, 1) * height, 1, chunk + 1, chunks);
  const across = bytes(n * int(g, 13)), down = bytes(n * int(g, 3) * int(g, 12));
  for (let u = share(int(g, 1) * height, 1, chunk, chunks); u < end; u++) {
    const top = (u % height) * int(g, 10) - int(g, 14);
    const y0 = firstTap(top, int(g, 12)), rows = lastTap(top, int(g, 12), int(g, 8), int(g, 2)) - y0;
    const line = ptr(g, 0) + <usize>((u / height) * int(g, 2) + top + y0 * int(g, 12)) * bytes(n * int(g, 3));
    let to = ptr(g, 18) + <usize>u * bytes(n * width);
    for (let x = 0; x < width; x++) {
      const left = x * int(g, 11) - int(g, 15);
      const x0 = firstTap(left, int(g, 13)), columns = lastTap(left, int(g, 13), int(g, 9), int(g, 3)) - x0;
      const from = line + <usize>(left + x0 * int(g, 13)) * bytes(n);
      if (n < 4) {
        for (let c = 0; c < n; c++) largest(from + bytes(c), rows, columns, down, across, to + bytes(c), true);
      } else {
        for (let c = 0; c < n; c += 4) {
          const at = bytes(min(c, n - 4));
          largest(from + at, rows, columns, down, across, to + at, false);
        }
      }
      to += bytes(n);
    }
  }
}

// @ts-ignore: decorator
@inline
function largest(from: usize, rows: i32, columns: i32, down: usize, across: usize, to: usize, single: bool): void {
  let best = f32x4.splat(LOWEST);
  if (rows == 2 && columns == 2) {
    const lower = from + down;
    best = f32x4.pmax(f32x4.pmax(best, get(from, single)), get(from + across, single));
    put(to, f32x4.pmax(f32x4.pmax(best, get(lower, single)), get(lower + across, single)), single);
    return;
  }
  for (; rows > 0; rows--) {
    let at = from;
    for (let x = columns; x > 0; x--) {
      best = f32x4.pmax(best, get(at, single));
      at += across;
    }
    from += down;
  }
  put(to, best, single);
}

/** dx where windows lie side by side and fill the image: each value is written once. 16 dy, 17 x, 0 dx, 18 y */
export function opMaxPoolGradApart(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 4), width = int(g, 6), kh = int(g, 8), kw = int(g, 9);
  const line = bytes(n * int(g, 3)), pixel = bytes(n), shift = ptr(g, 17) - ptr(g, 0);
  const units = int(g, 1) * int(g, 5), end = share(units, 1, chunk + 1, chunks);
  let u = share(units, 1, chunk, chunks), small = <usize>u * <usize>width * pixel;
  for (; u < end; u++) {
    let to = ptr(g, 0) + <usize>(u * kh) * line;
    for (let x = 0; x < width; x++) {
      const dy = ptr(g, 16) + small, y = ptr(g, 18) + small;
      if (n < 4) {
        for (let c = 0; c < n; c++) route(to + bytes(c), shift, dy + bytes(c), y + bytes(c), kh, kw, line, pixel, true);
      } else {
        for (let c = 0; c < n; c += 4) {
          const at = bytes(min(c, n - 4));
          route(to + at, shift, dy + at, y + at, kh, kw, line, pixel, false);
        }
      }
      small += pixel;
      to += <usize>kw * pixel;
    }
  }
}

/** dy to the first position of the window that equals y, 0 to the others. */
// @ts-ignore: decorator
@inline
function route(
  to: usize, shift: usize, dy: usize, y: usize, rows: i32, columns: i32, down: usize, across: usize, single: bool,
): void {
  const gradient = get(dy, single), best = get(y, single);
  let open = i32x4.splat(-1);
  for (; rows > 0; rows--) {
    let at = to;
    for (let x = columns; x > 0; x--) {
      const here = v128.and(open, f32x4.eq(get(at + shift, single), best));
      open = v128.andnot(open, here);
      put(at, v128.and(gradient, here), single);
      at += across;
    }
    to += down;
  }
}
