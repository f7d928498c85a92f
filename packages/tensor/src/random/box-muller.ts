// Every constant is a double; docs/random.md states the order of operations, which other implementations follow.

/** −2·ln m = s·(A0 + A1·s² + A2·s⁴), s = (m − 1)/(m + 1), m in [√½, √2): relative error 1.2e-7. */
const A0 = -4.000000474748008;
const A1 = -1.333044474005948;
const A2 = -0.8259274572882745;
const TWO_LN2 = 1.3862943611198906;

/** sin(π/4·y) = y·(S0 + S1·y² + S2·y⁴ + S3·y⁶), |y| ≤ 1: relative error 3.3e-9. */
const S0 = 0.7853981608541711;
const S1 = -0.08074543252915636;
const S2 = 0.002490001024036513;
const S3 = -0.00003595045225769754;

/** cos(π/4·y) = C0 + C1·y² + C2·y⁴ + C3·y⁶, |y| ≤ 1: relative error 3.3e-8. */
const C0 = 0.9999999673862997;
const C1 = -0.3084241655891756;
const C2 = 0.01584968416853886;
const C3 = -0.00031872784048311126;

/** The 24-bit significand of √2: where a power of two is taken out so that m is next to 1. */
const SQRT2 = 0xb504f3;

/**
 * Turns pairs of words into pairs of normals: r·cos θ and r·sin θ, r = √(−2 ln u₁), θ = 2π u₂,
 * u₁ = ((w₀ >>> 8) + 1)·2⁻²⁴, u₂ = (w₁ >>> 8)·2⁻²⁴.
 *
 * In doubles, rounded once when stored: exact rounding to float32 after each operation costs JavaScript three times
 * as much. Only +, −, ×, ÷ and √, which every IEEE machine rounds alike, and no branches.
 *
 * @param words Pairs of random words, from index `from` on.
 * @param count Words to use and numbers to write, even.
 */
export function boxMuller(words: Int32Array, from: number, count: number, out: Float32Array, at: number): void {
  for (let i = 0; i < count; i += 2) {
    // u1 = m·2^(−e)
    const n = (words[from + i]! >>> 8) + 1;
    const zeros = Math.clz32(n);
    const top = n << zeros;
    const half = (SQRT2 - 1 - (top >>> 8)) >>> 31;
    const m = (top >>> half) * 2 ** -31;
    const e = zeros - 7 - half;
    const s = (m - 1) / (m + 1);
    const s2 = s * s;
    const r = Math.sqrt(e * TWO_LN2 + s * (A0 + s2 * (A1 + s2 * A2)));

    // θ = (quadrant + y/2)·π/2, y in [−1, 1)
    const t = words[from + i + 1]! >>> 8;
    const quadrant = (t + 0x200000) >>> 22;
    const rest = t - (quadrant << 22);
    const flip = -(((quadrant + 1) >>> 1) & 1); // the sine's part is negative in quadrants 1 and 2
    const y = ((rest ^ flip) - flip) * 2 ** -21;
    const y2 = y * y;
    const y4 = y2 * y2;
    const sin = y * (S0 + S1 * y2 + y4 * (S2 + S3 * y2));
    const cos = C0 + C1 * y2 + y4 * (C2 + C3 * y2);
    const odd = quadrant & 1; // sine and cosine change places
    out[at + i + odd] = r * (cos * (1 - (quadrant & 2)));
    out[at + i + 1 - odd] = r * sin;
  }
}
