const F32_INFINITY = 0x7f800000;

/** float32 → IEEE half bits, rounded to nearest, ties to even; beyond 65520 it is infinity, NaN stays NaN. */
export function toHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const sign = (bits[i]! >>> 16) & 0x8000;
    out[i] = sign | halfMagnitude(bits[i]! & 0x7fffffff);
  }
  return out;
}

function halfMagnitude(bits: number): number {
  if (bits > F32_INFINITY) return 0x7e00;
  if (bits >= 0x477ff000) return 0x7c00;
  if (bits >= 0x38800000) return (bits + 0xfff + ((bits >>> 13) & 1) - 0x38000000) >>> 13;
  const exponent = bits >>> 23;
  if (exponent < 102) return 0;
  // Subnormal half: count units of 2^-24.
  const shift = 126 - exponent;
  const mantissa = (bits & 0x7fffff) | 0x800000;
  const quotient = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return rest > tie || (rest === tie && (quotient & 1) === 1) ? quotient + 1 : quotient;
}

/** IEEE half bits → float32, exact. */
export function fromHalf(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = floatBits(halves[i]!);
  return new Float32Array(bits.buffer);
}

function floatBits(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return sign | F32_INFINITY | (mantissa << 13);
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  const shift = Math.clz32(mantissa) - 21;
  return sign | ((113 - shift) << 23) | ((mantissa << (shift + 13)) & 0x7fffff);
}

/** float32 → bfloat16 bits, rounded to nearest, ties to even; NaN stays NaN. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const x = bits[i]!;
    out[i] = (x & 0x7fffffff) > F32_INFINITY ? (x >>> 16) | 0x40 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
  }
  return out;
}

/** bfloat16 bits → float32, exact. */
export function fromBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** 8-bit floats with 5 exponent bits (the upper byte of a half) → float32, exact. */
export function fromFloat8E5M2(bytes: Uint8Array): Float32Array {
  return fromHalf(Uint16Array.from(bytes, (byte) => byte << 8));
}

/** 8-bit floats with 4 exponent bits, no infinities, NaN at 0x7f and 0xff → float32, exact. */
export function fromFloat8E4M3(bytes: Uint8Array): Float32Array {
  return Float32Array.from(bytes, (byte) => {
    const magnitude = byte & 0x7f;
    const mantissa = byte & 7;
    const exponent = magnitude >>> 3;
    if (magnitude === 0x7f) return Number.NaN;
    const value = exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10);
    return byte & 0x80 ? -value : value;
  });
}
