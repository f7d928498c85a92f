// Streams of random numbers: element e depends on e alone, so any range may be made by any thread.
import { boxMuller } from './normal';
import { joinHigh, joinLow, unpackHigh, unpackLow } from './pack';
import { philox } from './philox';
import { bytes, float, int, ptr, scratch, share } from './prelude';

const BITS = 0;
const UNIFORM = 1;
const NORMAL = 2;
const SIGNS = 3;

/** Elements that four blocks give. */
// @ts-ignore: decorator
@inline
function perQuad(kind: i32): i32 {
  return kind == SIGNS ? 512 : 16;
}

/** A column of words becomes a row of elements: the words of one block stand side by side. */
// @ts-ignore: decorator
@inline
function turn(kind: i32, words: usize, dst: usize): void {
  const r0 = v128.load(words), r1 = v128.load(words, 16), r2 = v128.load(words, 32), r3 = v128.load(words, 48);
  const t0 = unpackLow(r0, r1), t1 = unpackHigh(r0, r1), t2 = unpackLow(r2, r3), t3 = unpackHigh(r2, r3);
  deliver(kind, joinLow(t0, t2), dst);
  deliver(kind, joinHigh(t0, t2), dst + 16);
  deliver(kind, joinLow(t1, t3), dst + 32);
  deliver(kind, joinHigh(t1, t3), dst + 48);
}

// @ts-ignore: decorator
@inline
function deliver(kind: i32, x: v128, dst: usize): void {
  if (kind == UNIFORM) x = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(x, 8)), f32x4.splat(5.9604644775390625e-8));
  v128.store(dst, x);
}

/** Normals instead of the words. */
// @ts-ignore: decorator
@inline
function normals(words: usize): void {
  const w2 = v128.load(words, 32), w3 = v128.load(words, 48);
  boxMuller(v128.load(words), v128.load(words, 16), words);
  boxMuller(w2, w3, words + 32);
}

function signs(words: usize, dst: usize): void {
  const one = i32x4.splat(0x3f800000), top = i32x4.splat(0x80000000), zero = i32x4.splat(0);
  for (let block = 0; block < 4; block++) {
    for (let word = 0; word < 4; word++) {
      const w = v128.load32_splat(words + bytes(word * 4 + block));
      let mask = i32x4(1, 2, 4, 8);
      for (let i = 0; i < 8; i++) {
        const set = i32x4.ne(v128.and(w, mask), zero);
        v128.store(dst, v128.or(one, v128.and(set, top)));
        mask = i32x4.shl(mask, 4);
        dst += 16;
      }
    }
  }
}

/**
 * Fills out with elements skip … skip + n of a stream that begins at a block, or out ← p + scale · elements.
 *
 * 0 n, 1 out, 2 key lo, 3 key hi, 4 block (low word), 5 block (high word), 6 skip (below one quad of blocks),
 * 7 kind (0 bits, 1 uniform, 2 normal, 3 signs), 8 p or 0, 9 scale. p may be out.
 */
export function opRandom(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const n = int(g, 0), out = ptr(g, 1), k0 = int(g, 2), k1 = int(g, 3), skip = int(g, 6), kind = int(g, 7), p = ptr(g, 8);
  const first = load<i64>(g + 16);
  const size = perQuad(kind);
  const work = scratch(g, thread), spare = work + 64;
  const quads = (skip + n + size - 1) / size;
  const last = share(quads, 1, chunk + 1, chunks);
  for (let quad = share(quads, 1, chunk, chunks); quad < last; quad++) {
    const at = quad * size - skip;
    const from = max(0, -at), to = min(size, n - at);
    const direct = p == 0 && to - from == size;
    const dst = direct ? out + bytes(at) : spare;
    philox(k0, k1, first + (<i64>quad << 2), 0, work);
    if (kind == NORMAL) normals(work);
    if (kind == SIGNS) signs(work, dst);
    else if (kind == UNIFORM) turn(UNIFORM, work, dst);
    else turn(BITS, work, dst);
    if (direct) continue;
    const target = out + (<usize>(at + from) << 2);
    if (p == 0) memory.copy(target, spare + bytes(from), bytes(to - from));
    else addScaled(p + (<usize>(at + from) << 2), spare + bytes(from), float(g, 9), to - from, target);
  }
}

/** out ← p + scale · x; two roundings on every engine. */
function addScaled(p: usize, x: usize, scale: f32, n: i32, out: usize): void {
  const s = f32x4.splat(scale);
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(out, f32x4.add(v128.load(p), f32x4.mul(s, v128.load(x))));
    p += 16;
    x += 16;
    out += 16;
  }
  for (; i < n; i++) {
    store<f32>(out, load<f32>(p) + scale * load<f32>(x));
    p += 4;
    x += 4;
    out += 4;
  }
}
