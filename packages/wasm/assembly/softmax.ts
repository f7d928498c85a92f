// Softmax over rows, and cross-entropy with its gradient.
import { exp4, expOf, log4 } from './math';
import { bytes, int, lanesSum, ptr, share } from './prelude';
import { lineMax } from './reduce';

/** out ← e^(x − shift); returns the sum. */
function exponentials(x: usize, n: i32, shift: f32, out: usize): f32 {
  const s = f32x4.splat(shift);
  let sum = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const e = exp4(f32x4.sub(v128.load(x + bytes(i)), s));
    v128.store(out + bytes(i), e);
    sum = f32x4.add(sum, e);
  }
  let total = lanesSum(sum);
  for (; i < n; i++) {
    const e = expOf(f32x4.sub(v128.load32_zero(x + bytes(i)), s));
    v128.store32_lane(out + bytes(i), e, 0);
    total += f32x4.extract_lane(e, 0);
  }
  return total;
}

function scaleRow(x: usize, n: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  let i = 0;
  for (; i + 4 <= n; i += 4) v128.store(x + bytes(i), f32x4.mul(f, v128.load(x + bytes(i))));
  for (; i < n; i++) store<f32>(x + bytes(i), factor * load<f32>(x + bytes(i)));
}

/** out ← softmax of each row. 0 rows, 1 columns, 2 x, 3 out */
export function opSoftmax(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const rows = int(g, 0), n = int(g, 1);
  const last = share(rows, 1, chunk + 1, chunks);
  for (let i = share(rows, 1, chunk, chunks); i < last; i++) {
    const o = <usize>i * bytes(n), x = ptr(g, 2) + o, out = ptr(g, 3) + o;
    scaleRow(out, n, 1 / exponentials(x, n, lineMax(x, n), out));
  }
}

/** loss[i] = −log softmax(x[i])[label[i]], grad = softmax − onehot. 0 rows, 1 columns, 2 x, 3 labels, 4 loss, 5 gradient */
export function opSoftmaxCrossEntropy(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const rows = int(g, 0), n = int(g, 1);
  const last = share(rows, 1, chunk + 1, chunks);
  for (let i = share(rows, 1, chunk, chunks); i < last; i++) {
    const o = <usize>i * bytes(n), x = ptr(g, 2) + o, out = ptr(g, 5) + o;
    const label = bytes(int(ptr(g, 3), i));
    const top = lineMax(x, n);
    const sum = exponentials(x, n, top, out);
    store<f32>(ptr(g, 4) + bytes(i), f32x4.extract_lane(log4(f32x4.splat(sum)), 0) + (top - load<f32>(x + label)));
    scaleRow(out, n, 1 / sum);
    store<f32>(out + label, load<f32>(out + label) - 1);
  }
}
