// Functions of two elements with broadcasting.
import { get, int, bytes, ptr, put, share } from './prelude';

/** 0 add, 1 subtract, 2 multiply, 3 divide, 4 maximum, 5 minimum, 6 squared difference. */
// @ts-ignore: decorator
@inline
function apply(kind: i32, x: v128, y: v128): v128 {
  if (kind == 0) return f32x4.add(x, y);
  if (kind == 1) return f32x4.sub(x, y);
  if (kind == 2) return f32x4.mul(x, y);
  if (kind == 3) return f32x4.div(x, y);
  if (kind == 4) return f32x4.max(x, y);
  if (kind == 5) return f32x4.min(x, y);
  const d = f32x4.sub(x, y);
  return f32x4.mul(d, d);
}

/** One line; a stride of 0 repeats the first element. `kind` is constant where this is used. */
// @ts-ignore: decorator
@inline
function line(kind: i32, a: usize, sa: i32, b: usize, sb: i32, out: usize, n: i32): void {
  let i: usize = 0;
  const whole = bytes(n & ~3), end = bytes(n);
  if (sa == 0) {
    const x = v128.load32_splat(a);
    for (; i < whole; i += 16) put(out + i, apply(kind, x, get(b + i, false)), false);
    for (; i < end; i += 4) put(out + i, apply(kind, x, get(b + i, true)), true);
  } else if (sb == 0) {
    const y = v128.load32_splat(b);
    for (; i < whole; i += 16) put(out + i, apply(kind, get(a + i, false), y), false);
    for (; i < end; i += 4) put(out + i, apply(kind, get(a + i, true), y), true);
  } else {
    for (; i < whole; i += 16) put(out + i, apply(kind, get(a + i, false), get(b + i, false)), false);
    for (; i < end; i += 4) put(out + i, apply(kind, get(a + i, true), get(b + i, true)), true);
  }
}

function lineOf(kind: i32, a: usize, sa: i32, b: usize, sb: i32, out: usize, n: i32): void {
  switch (kind) {
    case 0: line(0, a, sa, b, sb, out, n); break;
    case 1: line(1, a, sa, b, sb, out, n); break;
    case 2: line(2, a, sa, b, sb, out, n); break;
    case 3: line(3, a, sa, b, sb, out, n); break;
    case 4: line(4, a, sa, b, sb, out, n); break;
    case 5: line(5, a, sa, b, sb, out, n); break;
    default: line(6, a, sa, b, sb, out, n);
  }
}

/**
 * out ← a ∘ b over three outer axes and a line. Strides in elements; those of the line are 0 or 1.
 *
 * 0 kind, 1 a, 2 b, 3 out, 4–6 outer extents, 7 line, 8–10 outer strides of a, 11–13 of b, 14 line stride of a, 15 of b,
 * 16 whether threads share out the lines (0) or the elements of the only one (1)
 */
export function opBinary(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const kind = int(g, 0), a = ptr(g, 1), b = ptr(g, 2), out = ptr(g, 3);
  const d1 = int(g, 5), d2 = int(g, 6), n = int(g, 7), sa = int(g, 14), sb = int(g, 15);
  if (int(g, 16)) {
    const from = share(n, 16, chunk, chunks), count = share(n, 16, chunk + 1, chunks) - from;
    lineOf(kind, a + bytes(from * sa), sa, b + bytes(from * sb), sb, out + bytes(from), count);
    return;
  }
  const lines = int(g, 4) * d1 * d2;
  const last = share(lines, 1, chunk + 1, chunks);
  for (let i = share(lines, 1, chunk, chunks); i < last; i++) {
    const i2 = i % d2, i1 = (i / d2) % d1, i0 = i / (d2 * d1);
    const oa = i0 * int(g, 8) + i1 * int(g, 9) + i2 * int(g, 10), ob = i0 * int(g, 11) + i1 * int(g, 12) + i2 * int(g, 13);
    lineOf(kind, a + bytes(oa), sa, b + bytes(ob), sb, out + <usize>i * bytes(n), n);
  }
}
