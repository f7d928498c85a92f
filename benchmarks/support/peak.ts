// The machine's limit for WebAssembly SIMD: loops that do nothing but multiply and add in registers.

const V128 = 0x7b;
const I32 = 0x7f;
const SIMD = 0xfd;

/** Unsigned LEB128. */
function leb(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...leb(value >>> 7)];
}

const section = (id: number, content: readonly number[]): number[] => [id, ...leb(content.length), ...content];
const get = (local: number): number[] => [0x20, ...leb(local)];
const set = (local: number): number[] => [0x21, ...leb(local)];
const simd = (code: number): number[] => [SIMD, ...leb(code)];
const splat = (value: number): number[] => [0x43, ...new Uint8Array(Float32Array.of(value).buffer), ...simd(0x13)];

const ADD = 0xe4;
const MULTIPLY = 0xe6;
const MADD = 0x105;

/** (n) → f32: n rounds of c ← c·a + b on `chains` independent vectors. */
function loopBinary(chains: number, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const [a, b] = [1, 2]; // locals; 0 is n
  const chain = (i: number): number => 3 + i;
  const all = Array.from({ length: chains }, (_, i) => chain(i));
  const body = [
    ...[...splat(0.999), ...set(a), ...splat(1e-3), ...set(b)],
    ...all.flatMap((c, i) => [...splat(i), ...set(c)]),
    ...[0x03, 0x40], // loop
    ...all.flatMap((c) =>
      relaxed
        ? [...get(c), ...get(a), ...get(b), ...simd(MADD), ...set(c)]
        : [...get(c), ...get(a), ...simd(MULTIPLY), ...get(b), ...simd(ADD), ...set(c)],
    ),
    ...[...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b], // n ← n − 1, again unless 0
    ...[...get(chain(0)), ...all.slice(1).flatMap((c) => [...get(c), ...simd(ADD)]), ...simd(0x1f), 0, 0x0b],
  ];
  const code = [1, ...leb(2 + chains), V128, ...body];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, I32, 1, 0x7d]),
    ...section(3, [1, 0]),
    ...section(7, [1, 1, 0x66, 0, 0]),
    ...section(10, [1, ...leb(code.length), ...code]),
  ]);
}

/** A loop and how many floating-point operations a call of it is. */
export interface PeakLoop {
  readonly chains: number;
  readonly flops: number;
  run(): void;
}

/** Register-only loops of 4 to 15 chains; the fastest of them is the limit. */
export function peakLoops(relaxed: boolean): PeakLoop[] {
  const rounds = 1_000_000;
  return Array.from({ length: 12 }, (_, i) => {
    const chains = 4 + i;
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(loopBinary(chains, relaxed)));
    const f = exports['f'] as (n: number) => number;
    return { chains, flops: rounds * chains * 8, run: () => void f(rounds) };
  });
}
