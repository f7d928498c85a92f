// Gradients of pooling, and depthwise convolutions: all channels of a pixel side by side, four at once.
import { activateRow } from './math';
import { bytes, float, get, int, madd, ptr, put, share } from './prelude';

/*
 * Arguments: 0 image (x or dx), 1 batch, 2 height, 3 width, 4 channels, 5 output height, 6 output width, 7 output channels
 * per channel, 8 filter height, 9 width, 10 stride down, 11 across, 12 dilation down, 13 across, 14 padding above, 15 left,
 * 16 dy (or y of a convolution), 17 filter or dfilter or x, 18 y; 19 bias or 0, 20 activation, 21 its parameter
 */
/** The first position of a window that lies inside of the image, whose size is `limit` below. */
// @ts-ignore: decorator
@inline
export function firstTap(corner: i32, dilation: i32): i32 {
  return corner < 0 ? (dilation - 1 - corner) / dilation : 0;
}

/** One past the last position of a window that lies inside of the image. */
// @ts-ignore: decorator
@inline
export function lastTap(corner: i32, dilation: i32, size: i32, limit: i32): i32 {
  return min(size, (limit - corner + dilation - 1) / dilation);
}

/** Address of output pixel (b, y, x), whose rows hold n floats. */
// @ts-ignore: decorator
@inline
function outputAt(g: usize, base: usize, b: i32, y: i32, x: i32, n: i32): usize {
  return base + ((<usize>b * int(g, 5) + y) * int(g, 6) + x) * bytes(n);
}

/** Address of image pixel (b, y, x). */
// @ts-ignore: decorator
@inline
function pixelAt(g: usize, base: usize, b: i32, y: i32, x: i32): usize {
  return base + ((<usize>b * int(g, 2) + y) * int(g, 3) + x) * bytes(int(g, 4));
}

function clearImage(g: usize, b: i32): void {
  memory.fill(pixelAt(g, ptr(g, 0), b, 0, 0), 0, <usize>int(g, 2) * int(g, 3) * bytes(int(g, 4)));
}

/** dx of max-pooling: dy goes to the first largest value of each window. Images are shared out. */
export function opMaxPoolGrad(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 4), last = share(int(g, 1), 1, chunk + 1, chunks);
  for (let b = share(int(g, 1), 1, chunk, chunks); b < last; b++) {
    clearImage(g, b);
    for (let y = 0; y < int(g, 5); y++) {
      for (let x = 0; x < int(g, 6); x++) {
        let c = 0;
        for (; c + 4 <= n; c += 4) routeMax(g, b, y, x, bytes(c), false);
        for (; c < n; c++) routeMax(g, b, y, x, bytes(c), true);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function routeMax(g: usize, b: i32, y: i32, x: i32, c: usize, single: bool): void {
  const n = int(g, 4), top = y * int(g, 10) - int(g, 14), left = x * int(g, 11) - int(g, 15);
  const dy = get(outputAt(g, ptr(g, 16), b, y, x, n) + c, single), best = get(outputAt(g, ptr(g, 18), b, y, x, n) + c, single);
  const y1 = lastTap(top, int(g, 12), int(g, 8), int(g, 2)), x1 = lastTap(left, int(g, 13), int(g, 9), int(g, 3));
  let open = i32x4.splat(-1);
  for (let ky = firstTap(top, int(g, 12)); ky < y1; ky++) {
    for (let kx = firstTap(left, int(g, 13)); kx < x1; kx++) {
      const at = pixelAt(g, 0, b, top + ky * int(g, 12), left + kx * int(g, 13)) + c;
      const here = v128.and(open, f32x4.eq(get(ptr(g, 17) + at, single), best));
      open = v128.andnot(open, here);
      const to = ptr(g, 0) + at;
      put(to, f32x4.add(get(to, single), v128.and(dy, here)), single);
    }
  }
}

/** dx of average-pooling: dy in equal parts to the positions inside of the image. Images are shared out. */
export function opAvgPoolGrad(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 4), last = share(int(g, 1), 1, chunk + 1, chunks);
  for (let b = share(int(g, 1), 1, chunk, chunks); b < last; b++) {
    clearImage(g, b);
    for (let y = 0; y < int(g, 5); y++) {
      for (let x = 0; x < int(g, 6); x++) {
        const top = y * int(g, 10) - int(g, 14), left = x * int(g, 11) - int(g, 15);
        const y0 = firstTap(top, int(g, 12)), y1 = lastTap(top, int(g, 12), int(g, 8), int(g, 2));
        const x0 = firstTap(left, int(g, 13)), x1 = lastTap(left, int(g, 13), int(g, 9), int(g, 3));
        const part = f32x4.splat(<f32>1 / <f32>((y1 - y0) * (x1 - x0)));
        const dy = outputAt(g, ptr(g, 16), b, y, x, n);
        for (let ky = y0; ky < y1; ky++) {
          for (let kx = x0; kx < x1; kx++) {
            addProduct(pixelAt(g, ptr(g, 0), b, top + ky * int(g, 12), left + kx * int(g, 13)), dy, part, n);
          }
        }
      }
    }
  }
}

/** to[c] += from[c] · factor */
function addProduct(to: usize, from: usize, factor: v128, n: i32): void {
  for (; n >= 4; n -= 4) {
    v128.store(to, f32x4.add(v128.load(to), f32x4.mul(v128.load(from), factor)));
    to += 16;
    from += 16;
  }
  for (; n > 0; n--) {
    store<f32>(to, load<f32>(to) + load<f32>(from) * f32x4.extract_lane(factor, 0));
    to += 4;
    from += 4;
  }
}

/** to[c] += Σ_q a[c·m + q] · b[c·m + q], `m` output channels per channel. */
function addDots(to: usize, a: usize, b: usize, n: i32, m: i32): void {
  if (m == 1) {
    for (; n >= 4; n -= 4) {
      v128.store(to, f32x4.add(v128.load(to), f32x4.mul(v128.load(a), v128.load(b))));
      to += 16;
      a += 16;
      b += 16;
    }
  }
  for (; n > 0; n--) {
    let sum = load<f32>(to);
    for (let q = 0; q < m; q++) {
      sum += load<f32>(a) * load<f32>(b);
      a += 4;
      b += 4;
    }
    store<f32>(to, sum);
    to += 4;
  }
}

/** to[c·m + q] += x[c] · dy[c·m + q] */
function addOuter(to: usize, x: usize, dy: usize, n: i32, m: i32): void {
  if (m == 1) {
    addDots(to, x, dy, n, 1);
    return;
  }
  for (; n > 0; n--) {
    const v = load<f32>(x);
    for (let q = 0; q < m; q++) {
      store<f32>(to, load<f32>(to) + v * load<f32>(dy));
      to += 4;
      dy += 4;
    }
    x += 4;
  }
}

/** y = act(depthwise(x, filter) + bias). Rows of outputs are shared out. */
export function opDepthwise(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 4), m = int(g, 7), height = int(g, 5), width = int(g, 6), units = int(g, 1) * height;
  const end = share(units, 1, chunk + 1, chunks), first = share(units, 1, chunk, chunks);
  let to = ptr(g, 16) + <usize>(first * width) * bytes(n * m);
  for (let u = first; u < end; u++) {
    const b = u / height, top = (u % height) * int(g, 10) - int(g, 14), row = to;
    const y0 = firstTap(top, int(g, 12)), y1 = lastTap(top, int(g, 12), int(g, 8), int(g, 2));
    for (let x = 0; x < width; x++) {
      const left = x * int(g, 11) - int(g, 15);
      const x0 = firstTap(left, int(g, 13)), x1 = lastTap(left, int(g, 13), int(g, 9), int(g, 3));
      const from = pixelAt(g, ptr(g, 0), b, top + y0 * int(g, 12), left + x0 * int(g, 13));
      const filter = ptr(g, 17) + bytes((y0 * int(g, 9) + x0) * n * m);
      if (m == 1 && n >= 4) windowOf1(g, from, filter, y1 - y0, x1 - x0, n, to);
      else windowOfMore(g, from, filter, y1 - y0, x1 - x0, n, m, to);
      to += bytes(n * m);
    }
    if (int(g, 20)) activateRow(row, row, width * n * m, int(g, 20), float(g, 21));
  }
}

/** to[c·m + q] = bias[c·m + q] + Σ x[c] · filter[c·m + q] over rows × columns of a window. */
function windowOfMore(g: usize, x: usize, filter: usize, rows: i32, columns: i32, n: i32, m: i32, to: usize): void {
  const across = bytes(n * int(g, 13)), down = bytes(n * int(g, 3) * int(g, 12)), step = bytes(n * m);
  if (ptr(g, 19)) memory.copy(to, ptr(g, 19), step);
  else memory.fill(to, 0, step);
  for (let y = 0; y < rows; y++) {
    for (let k = 0; k < columns; k++) {
      addOuter(to, x + <usize>y * down + <usize>k * across, filter + <usize>(y * int(g, 9) + k) * step, n, m);
    }
  }
}

/** The same for one output channel per channel: 16 at once, so that sums do not wait for each other, then 4. */
function windowOf1(g: usize, x: usize, filter: usize, rows: i32, columns: i32, n: i32, to: usize): void {
  const pixel = bytes(n), across = pixel * int(g, 13), down = pixel * int(g, 3) * int(g, 12), line = pixel * int(g, 9);
  const bias = ptr(g, 19);
  let c = 0;
  for (; c + 16 <= n; c += 16) {
    const at = bytes(c);
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    if (bias) {
      s0 = v128.load(bias + at);
      s1 = v128.load(bias + at, 16);
      s2 = v128.load(bias + at, 32);
      s3 = v128.load(bias + at, 48);
    }
    for (let y = 0; y < rows; y++) {
      let p = x + at + <usize>y * down, w = filter + at + <usize>y * line;
      for (let k = columns; k > 0; k--) {
        s0 = madd(v128.load(p), v128.load(w), s0);
        s1 = madd(v128.load(p, 16), v128.load(w, 16), s1);
        s2 = madd(v128.load(p, 32), v128.load(w, 32), s2);
        s3 = madd(v128.load(p, 48), v128.load(w, 48), s3);
        p += across;
        w += pixel;
      }
    }
    v128.store(to + at, s0);
    v128.store(to + at, s1, 16);
    v128.store(to + at, s2, 32);
    v128.store(to + at, s3, 48);
  }
  for (; c < n; c += 4) {
    // The last four overlap the ones before.
    const at = bytes(min(c, n - 4));
    let sum = bias ? v128.load(bias + at) : f32x4.splat(0);
    for (let y = 0; y < rows; y++) {
      let p = x + at + <usize>y * down, w = filter + at + <usize>y * line;
      for (let k = columns; k > 0; k--) {
        sum = madd(v128.load(p), v128.load(w), sum);
        p += across;
        w += pixel;
      }
    }
    v128.store(to + at, sum);
  }
}

/** dx of a depthwise convolution. Images are shared out. */
export function opDepthwiseInput(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 4), m = int(g, 7), last = share(int(g, 1), 1, chunk + 1, chunks);
  for (let b = share(int(g, 1), 1, chunk, chunks); b < last; b++) {
    clearImage(g, b);
    for (let y = 0; y < int(g, 5); y++) {
      for (let x = 0; x < int(g, 6); x++) {
        const top = y * int(g, 10) - int(g, 14), left = x * int(g, 11) - int(g, 15);
        const y1 = lastTap(top, int(g, 12), int(g, 8), int(g, 2)), x1 = lastTap(left, int(g, 13), int(g, 9), int(g, 3));
        const dy = outputAt(g, ptr(g, 16), b, y, x, n * m);
        for (let ky = firstTap(top, int(g, 12)); ky < y1; ky++) {
          for (let kx = firstTap(left, int(g, 13)); kx < x1; kx++) {
            const to = pixelAt(g, ptr(g, 0), b, top + ky * int(g, 12), left + kx * int(g, 13));
            addDots(to, dy, ptr(g, 17) + bytes((ky * int(g, 9) + kx) * n * m), n, m);
          }
        }
      }
    }
  }
}

/** dfilter of a depthwise convolution. Filter positions are shared out, so each sum has one order. */
export function opDepthwiseFilter(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 4), m = int(g, 7), taps = int(g, 8) * int(g, 9), last = share(taps, 1, chunk + 1, chunks);
  for (let t = share(taps, 1, chunk, chunks); t < last; t++) {
    const down = (t / int(g, 9)) * int(g, 12) - int(g, 14), across = (t % int(g, 9)) * int(g, 13) - int(g, 15);
    const to = ptr(g, 17) + bytes(t * n * m);
    memory.fill(to, 0, bytes(n * m));
    for (let b = 0; b < int(g, 1); b++) {
      for (let y = 0; y < int(g, 5); y++) {
        const row = y * int(g, 10) + down;
        if (row < 0 || row >= int(g, 2)) continue;
        for (let x = 0; x < int(g, 6); x++) {
          const column = x * int(g, 11) + across;
          if (column < 0 || column >= int(g, 3)) continue;
          addOuter(to, pixelAt(g, ptr(g, 0), b, row, column), outputAt(g, ptr(g, 16), b, y, x, n * m), n, m);
        }
      }
    }
  }
}
