// Functions of single elements.
import { activate, geluGrad4 } from './math';
import { bytes, float, get, int, ptr, put, share } from './prelude';

/** out ← act(x). 0 n, 1 x, 2 out, 3 activation, 4 its parameter */
export function opActivate(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), x = ptr(g, 1), out = ptr(g, 2), kind = int(g, 3), parameter = float(g, 4);
  const to = bytes(share(n, 16, chunk + 1, chunks));
  let i = bytes(share(n, 16, chunk, chunks));
  for (; i + 16 <= to; i += 16) put(out + i, activate(kind, get(x + i, false), parameter), false);
  for (; i < to; i += 4) put(out + i, activate(kind, get(x + i, true), parameter), true);
}

/** out ← dy · gelu′(x). 0 n, 1 x, 2 dy, 3 out */
export function opGeluGrad(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), x = ptr(g, 1), dy = ptr(g, 2), out = ptr(g, 3);
  const to = bytes(share(n, 16, chunk + 1, chunks));
  let i = bytes(share(n, 16, chunk, chunks));
  for (; i + 16 <= to; i += 16) put(out + i, f32x4.mul(get(dy + i, false), geluGrad4(get(x + i, false))), false);
  for (; i < to; i += 4) put(out + i, f32x4.mul(get(dy + i, true), geluGrad4(get(x + i, true))), true);
}
