// Gradients of a convolution over volumes [batch, depth, height, width, channels]. tfjs's own are wrong. Plain loops over
// the window with vectors over the output channels: rarely used, so simple.
import { bytes, int, lanesSum, ptr, share } from './prelude';

// Arguments of both: 0 batch, 1–3 extents of x, 4 channels of x, 5–7 extents of y, 8 channels of y, 9–11 window,
// 12–14 strides, 15–17 padding, 18 x or dx, 19 filter or its gradient, 20 dy.

/** Σ a[i]·b[i] */
function dot(a: usize, b: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) sum = f32x4.add(sum, f32x4.mul(v128.load(a + bytes(i)), v128.load(b + bytes(i))));
  let total = lanesSum(sum);
  for (; i < n; i++) total += load<f32>(a + bytes(i)) * load<f32>(b + bytes(i));
  return total;
}

/** Where output o meets input i at window place k along an axis: o·stride = i + padding − k, or -1. */
// @ts-ignore: decorator
@inline
function meets(g: usize, axis: i32, i: i32, k: i32): i32 {
  const at = i + int(g, 15 + axis) - k, stride = int(g, 12 + axis);
  if (at < 0 || at % stride != 0 || at / stride >= int(g, 5 + axis)) return -1;
  return at / stride;
}

/** dx[i, c] = Σ over the window of dy[o]·filter[k, c]; threads share out the slices of dx. */
export function opVolumeInput(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const D = int(g, 1), H = int(g, 2), W = int(g, 3), C = int(g, 4), N = int(g, 8);
  const slices = int(g, 0) * D;
  const last = share(slices, 1, chunk + 1, chunks);
  for (let slice = share(slices, 1, chunk, chunks); slice < last; slice++) {
    for (let h = 0; h < H; h++) {
      for (let w = 0; w < W; w++) {
        const target = ptr(g, 18) + bytes(((slice * H + h) * W + w) * C);
        memory.fill(target, 0, bytes(C));
        gather(g, slice / D, slice % D, h, w, target, C, N);
      }
    }
  }
}

function gather(g: usize, batch: i32, d: i32, h: i32, w: i32, target: usize, C: i32, N: i32): void {
  const kd = int(g, 9), kh = int(g, 10), kw = int(g, 11);
  for (let a = 0; a < kd; a++) {
    const od = meets(g, 0, d, a);
    if (od < 0) continue;
    for (let b = 0; b < kh; b++) {
      const oh = meets(g, 1, h, b);
      if (oh < 0) continue;
      for (let c = 0; c < kw; c++) {
        const ow = meets(g, 2, w, c);
        if (ow < 0) continue;
        const dy = ptr(g, 20) + bytes((((batch * int(g, 5) + od) * int(g, 6) + oh) * int(g, 7) + ow) * N);
        const filter = ptr(g, 19) + bytes(((a * kh + b) * kw + c) * C * N);
        for (let q = 0; q < C; q++) {
          const to = target + bytes(q);
          store<f32>(to, load<f32>(to) + dot(dy, filter + bytes(q * N), N));
        }
      }
    }
  }
}

/** dfilter[k, c, o] = Σ over batch and outputs of x[i, c]·dy[o]; threads share out the places of the window. */
export function opVolumeFilter(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const kh = int(g, 10), kw = int(g, 11), size = int(g, 4) * int(g, 8);
  const places = int(g, 9) * kh * kw;
  const last = share(places, 1, chunk + 1, chunks);
  for (let place = share(places, 1, chunk, chunks); place < last; place++) {
    const target = ptr(g, 19) + bytes(place * size);
    memory.fill(target, 0, bytes(size));
    const a = place / (kh * kw), b = (place / kw) % kh, c = place % kw;
    for (let batch = 0; batch < int(g, 0); batch++) onePlace(g, batch, a, b, c, target);
  }
}

function onePlace(g: usize, batch: i32, a: i32, b: i32, c: i32, target: usize): void {
  const D = int(g, 1), H = int(g, 2), W = int(g, 3), C = int(g, 4), N = int(g, 8);
  const OD = int(g, 5), OH = int(g, 6), OW = int(g, 7);
  for (let od = 0; od < OD; od++) {
    const d = od * int(g, 12) + a - int(g, 15);
    if (d < 0 || d >= D) continue;
    for (let oh = 0; oh < OH; oh++) {
      const h = oh * int(g, 13) + b - int(g, 16);
      if (h < 0 || h >= H) continue;
      for (let ow = 0; ow < OW; ow++) {
        const w = ow * int(g, 14) + c - int(g, 17);
        if (w < 0 || w >= W) continue;
        const x = ptr(g, 18) + bytes((((batch * D + d) * H + h) * W + w) * C);
        const dy = ptr(g, 20) + bytes((((batch * OD + od) * OH + oh) * OW + ow) * N);
        for (let q = 0; q < C; q++) addScaled(target + bytes(q * N), dy, load<f32>(x + bytes(q)), N);
      }
    }
  }
}

function addScaled(to: usize, from: usize, factor: f32, n: i32): void {
  const f = f32x4.splat(factor);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(to + bytes(i), f32x4.add(v128.load(to + bytes(i)), f32x4.mul(f, v128.load(from + bytes(i)))));
  }
  for (; i < n; i++) store<f32>(to + bytes(i), load<f32>(to + bytes(i)) + factor * load<f32>(from + bytes(i)));
}
