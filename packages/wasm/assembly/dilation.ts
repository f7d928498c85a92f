// Morphological dilation: the largest x + filter in a window. tfjs's own takes the smallest positive number for −∞.
import { bytes, int, ptr, share } from './prelude';

/**
 * Fills the output (mode 0), or adds to dx (1) or dfilter (2), which are zero before.
 *
 * 0 batch, 1 height, 2 width, 3 channels, 4 output height, 5 output width, 6 window height, 7 window width, 8 and 9 strides,
 * 10 and 11 padding, 12 and 13 dilations, 14 x, 15 filter, 16 dy, 17 target, 18 mode. Threads share out the images; the
 * gradient of the filter is one chunk.
 */
export function opDilation(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const batch = int(g, 0), C = int(g, 3), OH = int(g, 4), OW = int(g, 5);
  const last = share(batch, 1, chunk + 1, chunks);
  for (let b = share(batch, 1, chunk, chunks); b < last; b++) {
    for (let oh = 0; oh < OH; oh++) {
      for (let ow = 0; ow < OW; ow++) {
        for (let c = 0; c < C; c++) one(g, b, oh, ow, c, bytes(((b * OH + oh) * OW + ow) * C + c));
      }
    }
  }
}

function one(g: usize, b: i32, oh: i32, ow: i32, c: i32, at: usize): void {
  const H = int(g, 1), W = int(g, 2), C = int(g, 3), kw = int(g, 7), mode = int(g, 18);
  let best: f32 = -Infinity;
  let bestX: usize = 0, bestFilter: usize = 0;
  for (let a = 0; a < int(g, 6); a++) {
    const h = oh * int(g, 8) - int(g, 10) + a * int(g, 12);
    if (h < 0 || h >= H) continue;
    for (let e = 0; e < kw; e++) {
      const w = ow * int(g, 9) - int(g, 11) + e * int(g, 13);
      if (w < 0 || w >= W) continue;
      const atX = bytes(((b * H + h) * W + w) * C + c), atFilter = bytes((a * kw + e) * C + c);
      const value = load<f32>(ptr(g, 14) + atX) + load<f32>(ptr(g, 15) + atFilter);
      if (value > best) {
        best = value;
        bestX = atX;
        bestFilter = atFilter;
      }
    }
  }
  if (mode == 0) {
    store<f32>(ptr(g, 17) + at, best);
    return;
  }
  const target = ptr(g, 17) + (mode == 1 ? bestX : bestFilter);
  store<f32>(target, load<f32>(target) + load<f32>(ptr(g, 16) + at));
}
