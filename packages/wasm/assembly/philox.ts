// Philox4x32-10, four consecutive blocks of a stream at once; docs/random.md fixes every bit.

/** Unsigned high halves of the four products. */
// @ts-ignore: decorator
@inline
function mulHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(
    i64x2.extmul_low_i32x4_u(a, b), i64x2.extmul_high_i32x4_u(a, b),
    4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31,
  );
}

/** Words 0 to 3 of blocks block … block + 3, one vector per word, to `dst` (64 bytes). Key words k0 = lo, k1 = hi. */
// @ts-ignore: decorator
@inline
export function philox(k0: i32, k1: i32, block: i64, domain: i32, dst: usize): void {
  const m0 = i32x4.splat(0xd2511f53), m1 = i32x4.splat(0xcd9e8d57);
  const first = i32x4.splat(<i32>block);
  let c0 = i32x4.add(first, i32x4(0, 1, 2, 3));
  // Where the low word wraps within the four, the high word is one more (minus a mask of ones).
  let c1 = i32x4.sub(i32x4.splat(<i32>(block >> 32)), i32x4.lt_u(c0, first));
  let c2 = i32x4.splat(domain), c3 = i32x4.splat(0);
  for (let round = 0; round < 10; round++) {
    const h0 = mulHigh(m0, c0), l0 = i32x4.mul(m0, c0);
    const h1 = mulHigh(m1, c2), l1 = i32x4.mul(m1, c2);
    c0 = v128.xor(v128.xor(h1, c1), i32x4.splat(k0));
    c1 = l1;
    c2 = v128.xor(v128.xor(h0, c3), i32x4.splat(k1));
    c3 = l0;
    k0 += 0x9e3779b9;
    k1 += 0xbb67ae85;
  }
  v128.store(dst, c0);
  v128.store(dst, c1, 16);
  v128.store(dst, c2, 32);
  v128.store(dst, c3, 48);
}
