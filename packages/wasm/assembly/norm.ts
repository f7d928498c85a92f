// Layer norm over rows, and its gradient.
import { bytes, float, int, lanesSum, ptr, share } from './prelude';

/** Σ (x − shift)^power, power 1 or 2; eight partial sums. */
// @ts-ignore: decorator
@inline
function moment(x: usize, n: i32, shift: f32, square: bool): f32 {
  const s = f32x4.splat(shift);
  let a = f32x4.splat(0), b = a;
  let i = 0;
  for (; i + 8 <= n; i += 8) {
    const u = f32x4.sub(v128.load(x + bytes(i)), s), v = f32x4.sub(v128.load(x + bytes(i), 16), s);
    a = f32x4.add(a, square ? f32x4.mul(u, u) : u);
    b = f32x4.add(b, square ? f32x4.mul(v, v) : v);
  }
  let sum = lanesSum(f32x4.add(a, b));
  for (; i < n; i++) {
    const u = load<f32>(x + bytes(i)) - shift;
    sum += square ? u * u : u;
  }
  return sum;
}

/** 0 rows, 1 columns, 2 x, 3 scale, 4 offset, 5 y, 6 mean, 7 1/σ, 8 epsilon */
export function opLayerNorm(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const rows = int(g, 0), n = int(g, 1), scale = ptr(g, 3), offset = ptr(g, 4);
  const last = share(rows, 1, chunk + 1, chunks);
  for (let r = share(rows, 1, chunk, chunks); r < last; r++) {
    const o = <usize>r * bytes(n), x = ptr(g, 2) + o, y = ptr(g, 5) + o;
    const mean = moment(x, n, 0, false) / <f32>n;
    const rstd = <f32>1 / sqrt<f32>(moment(x, n, mean, true) / <f32>n + float(g, 8));
    store<f32>(ptr(g, 6) + bytes(r), mean);
    store<f32>(ptr(g, 7) + bytes(r), rstd);
    const m = f32x4.splat(mean), s = f32x4.splat(rstd);
    let i = 0;
    for (; i + 4 <= n; i += 4) {
      const h = f32x4.mul(f32x4.sub(v128.load(x + bytes(i)), m), s);
      v128.store(y + bytes(i), f32x4.add(f32x4.mul(h, v128.load(scale + bytes(i))), v128.load(offset + bytes(i))));
    }
    for (; i < n; i++) {
      const h = (load<f32>(x + bytes(i)) - mean) * rstd;
      store<f32>(y + bytes(i), h * load<f32>(scale + bytes(i)) + load<f32>(offset + bytes(i)));
    }
  }
}

/**
 * dx and, per chunk, the partial sums of dscale and doffset: `partials` holds 2 · columns per chunk. The number of chunks
 * is part of the result's bits and must not depend on the threads.
 *
 * 0 rows, 1 columns, 2 x, 3 scale, 4 mean, 5 1/σ, 6 dy, 7 dx, 8 partials
 */
export function opLayerNormGrad(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const rows = int(g, 0), n = int(g, 1);
  const dscale = ptr(g, 8) + <usize>chunk * bytes(2 * n), doffset = dscale + bytes(n);
  memory.fill(dscale, 0, bytes(2 * n));
  const last = share(rows, 1, chunk + 1, chunks);
  for (let r = share(rows, 1, chunk, chunks); r < last; r++) {
    const o = <usize>r * bytes(n);
    gradRow(
      n, ptr(g, 2) + o, ptr(g, 3), load<f32>(ptr(g, 4) + bytes(r)), load<f32>(ptr(g, 5) + bytes(r)),
      ptr(g, 6) + o, ptr(g, 7) + o, dscale, doffset,
    );
  }
}

/** h = (x − mean)/σ, u = dy·scale: dx = (u − mean(u) − h·mean(u·h))/σ */
function gradRow(
  n: i32, x: usize, scale: usize, mean: f32, rstd: f32, dy: usize, dx: usize, dscale: usize, doffset: usize,
): void {
  const m = f32x4.splat(mean), s = f32x4.splat(rstd);
  let su = f32x4.splat(0), sh = su;
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const o = bytes(i), d = v128.load(dy + o), h = f32x4.mul(f32x4.sub(v128.load(x + o), m), s);
    const dh = f32x4.mul(d, h), k = v128.load(scale + o);
    v128.store(dscale + o, f32x4.add(v128.load(dscale + o), dh));
    v128.store(doffset + o, f32x4.add(v128.load(doffset + o), d));
    su = f32x4.add(su, f32x4.mul(d, k));
    sh = f32x4.add(sh, f32x4.mul(dh, k));
  }
  let u = lanesSum(su), uh = lanesSum(sh);
  for (; i < n; i++) {
    const o = bytes(i), d = load<f32>(dy + o), h = (load<f32>(x + o) - mean) * rstd, k = load<f32>(scale + o);
    store<f32>(dscale + o, load<f32>(dscale + o) + d * h);
    store<f32>(doffset + o, load<f32>(doffset + o) + d);
    u += d * k;
    uh += d * h * k;
  }
  u /= <f32>n;
  uh /= <f32>n;
  const U = f32x4.splat(u), H = f32x4.splat(uh);
  i = 0;
  for (; i + 4 <= n; i += 4) {
    const o = bytes(i), h = f32x4.mul(f32x4.sub(v128.load(x + o), m), s);
    const t = f32x4.sub(f32x4.mul(v128.load(dy + o), v128.load(scale + o)), U);
    v128.store(dx + o, f32x4.mul(s, f32x4.sub(t, f32x4.mul(h, H))));
  }
  for (; i < n; i++) {
    const o = bytes(i), h = (load<f32>(x + o) - mean) * rstd;
    store<f32>(dx + o, rstd * (load<f32>(dy + o) * load<f32>(scale + o) - u - h * uh));
  }
}

/** out ← Σ over parts of partials[part], in order. 0 columns, 1 parts, 2 partials, 3 words from part to part, 4 out */
export function opSumPartials(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), parts = int(g, 1), step = bytes(int(g, 3)), out = ptr(g, 4);
  const last = share(n, 4, chunk + 1, chunks);
  let i = share(n, 4, chunk, chunks);
  for (; i + 4 <= last; i += 4) {
    let at = ptr(g, 2) + bytes(i);
    let sum = v128.load(at);
    for (let p = 1; p < parts; p++) {
      at += step;
      sum = f32x4.add(sum, v128.load(at));
    }
    v128.store(out + bytes(i), sum);
  }
  for (; i < last; i++) {
    let at = ptr(g, 2) + bytes(i);
    let sum = load<f32>(at);
    for (let p = 1; p < parts; p++) {
      at += step;
      sum += load<f32>(at);
    }
    store<f32>(out + bytes(i), sum);
  }
}
