// What every kernel uses. Only loads, stores, v128 and atomics on plain addresses: no objects, so the binary has no data.

/** FMA is 1 in the relaxed variant (`--use FMA=1`); the branch not taken is not compiled. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (FMA) {
    return f32x4.relaxed_madd(a, b, c);
  } else {
    return f32x4.add(f32x4.mul(a, b), c);
  }
}

/** Argument k of an op as an integer. */
// @ts-ignore: decorator
@inline
export function int(args: usize, k: i32): i32 {
  return load<i32>(args + (<usize>k << 2));
}

/** Argument k of an op as an address. */
// @ts-ignore: decorator
@inline
export function ptr(args: usize, k: i32): usize {
  return <usize>load<u32>(args + (<usize>k << 2));
}

/** Argument k of an op as a float. */
// @ts-ignore: decorator
@inline
export function float(args: usize, k: i32): f32 {
  return load<f32>(args + (<usize>k << 2));
}

/** Bytes of n floats (or of n int32). */
// @ts-ignore: decorator
@inline
export function bytes(n: i32): usize {
  return <usize>n << 2;
}

/** Where chunk `chunk` of `chunks` begins when n items are dealt out in multiples of `quantum`; chunk = chunks gives n. */
// @ts-ignore: decorator
@inline
export function share(n: i32, quantum: i32, chunk: i32, chunks: i32): i32 {
  const units = <i64>((n + quantum - 1) / quantum);
  return min(n, <i32>((units * <i64>chunk) / <i64>chunks) * quantum);
}

/** Scratch memory of a thread, aligned to 64 bytes; the words before the arguments say where and how much. */
// @ts-ignore: decorator
@inline
export function scratch(args: usize, thread: i32): usize {
  return ptr(args, -14) + <usize>thread * ptr(args, -13);
}

/** The sum of the four lanes, always in the same order. */
// @ts-ignore: decorator
@inline
export function lanesSum(v: v128): f32 {
  return (
    f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3))
  );
}

/** The largest of the four lanes. */
// @ts-ignore: decorator
@inline
export function lanesMax(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/** Four floats, or one where `single` (a constant): the rest of a row whose length is no multiple of four. */
// @ts-ignore: decorator
@inline
export function get(at: usize, single: bool): v128 {
  return single ? v128.load32_zero(at) : v128.load(at);
}

/** Stores what `get` loads. */
// @ts-ignore: decorator
@inline
export function put(at: usize, x: v128, single: bool): void {
  if (single) v128.store32_lane(at, x, 0);
  else v128.store(at, x);
}
