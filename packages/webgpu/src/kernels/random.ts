import { type AddNoiseAttrs, FrugalError, KernelName, type RandomAttrs } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { dispatch, type Internals, replacement, type Uniform } from './dispatch.ts';
import { expectFloat, over, type Registration } from './over.ts';

// docs/random.md gives every operation. Bits, uniforms and signs are exact; normals in float32 are within 1e-6 · (1 + |z|).

const WORKGROUP = 64;

const PHILOX = `
fn high(a: u32, b: u32) -> u32 {
  let al = a & 0xffffu; let ah = a >> 16u; let bl = b & 0xffffu; let bh = b >> 16u;
  let p = ah * bl + ((al * bl) >> 16u);
  let q = al * bh + (p & 0xffffu);
  return ah * bh + (p >> 16u) + (q >> 16u);
}
fn block(index: u32) -> vec4<u32> {
  let low = u.low + index;
  var c = vec4<u32>(low, u.top + select(0u, 1u, low < index), 0u, 0u);
  var k = vec2<u32>(u.lo, u.hi);
  for (var round = 0; round < 10; round++) {
    c = vec4<u32>(high(0xCD9E8D57u, c.z) ^ c.y ^ k.x, 0xCD9E8D57u * c.z, high(0xD2511F53u, c.x) ^ c.w ^ k.y, 0xD2511F53u * c.x);
    k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}`;

/** Own polynomials: WGSL's sine and cosine may err by 5e-4. */
const NORMALS = `
fn pair(a: u32, b: u32) -> vec2<f32> {
  let i = bitcast<i32>(f32((a >> 8u) + 1u)) + (0x3F800000 - 0x3F3504F3);
  let e = f32(151 - (i >> 23u));
  let m = bitcast<f32>((i & 0x7FFFFF) + 0x3F3504F3);
  let s = (m - 1.0) / (m + 1.0);
  let s2 = s * s;
  let r = sqrt(max(e * 1.3862943611198906 + s * (-4.000000474748008 + s2 * (-1.333044474005948 + s2 * -0.8259274572882745)), 0.0));
  let t = i32(b >> 8u);
  let q = (t + 0x200000) >> 22u;
  let d = t - (q << 22u);
  let y = f32(select(d, -d, q == 1 || q == 2)) * 4.76837158203125e-7;
  let y2 = y * y;
  let sine = y * (0.7853981608541711 + y2 * (-0.08074543252915636 + y2 * (0.002490001024036513 + y2 * -0.00003595045225769754)));
  let cosine = 0.9999999673862997 + y2 * (-0.3084241655891756 + y2 * (0.01584968416853886 + y2 * -0.00031872784048311126));
  let z = vec2<f32>(r * select(cosine, -cosine, (q & 2) != 0), r * sine);
  return select(z, z.yx, vec2<bool>((q & 1) != 0));
}`;

type Kind = 'bits' | 'uniform' | 'normal' | 'signs';

const TYPE: Readonly<Record<Kind, string>> = { bits: 'i32', uniform: 'f32', normal: 'f32', signs: 'f32' };

/** Four elements from the words of a block. */
const MAP: Readonly<Record<Exclude<Kind, 'signs'>, string>> = {
  bits: 'bitcast<vec4<i32>>(w)',
  uniform: 'vec4<f32>(w >> vec4<u32>(8u)) * 5.9604644775390625e-8',
  normal: 'vec4<f32>(pair(w.x, w.y), pair(w.z, w.w))',
};

/** A thread makes a block, four elements of it. */
function fours(kind: Exclude<Kind, 'signs'>, store: string): string {
  return `${PHILOX}${kind === 'normal' ? NORMALS : ''}
fn main(id: Ids) {
  let index = threadIndex(id);
  if (index * 4u >= u.n + u.skip) { return; }
  let w = block(index);
  var values: array<${TYPE[kind]}, 4>;
  let four = ${MAP[kind]};
  values[0] = four.x; values[1] = four.y; values[2] = four.z; values[3] = four.w;
  for (var j = 0u; j < 4u; j++) {
    let e = index * 4u + j;
    if (e >= u.skip && e - u.skip < u.n) { let i = e - u.skip; let value = values[j]; ${store} }
  }
}`;
}

/** A workgroup makes 64 blocks, 128 elements each, and writes them side by side. */
function signs(store: string): string {
  return `${PHILOX}
var<workgroup> words: array<u32, ${4 * WORKGROUP}>;
fn main(id: Ids) {
  let first = groupIndex(id) * ${WORKGROUP}u;
  let w = block(first + id.local);
  for (var j = 0u; j < 4u; j++) { words[id.local * 4u + j] = w[j]; }
  workgroupBarrier();
  for (var j = 0u; j < 128u; j++) {
    let within = j * ${WORKGROUP}u + id.local;
    let e = first * 128u + within;
    let value = select(1.0, -1.0, ((words[within / 32u] >> (within % 32u)) & 1u) == 1u);
    if (e >= u.skip && e - u.skip < u.n) { let i = e - u.skip; ${store} }
  }
}`;
}

/** Elements offset … offset + n of a stream, stored into `out` by `store`. */
function stream(
  b: Internals,
  kind: Kind,
  { hi, lo, offset }: Pick<RandomAttrs, 'hi' | 'lo' | 'offset'>,
  out: tf.TensorInfo,
  store: string,
  more: readonly Uniform[] = [],
): void {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new FrugalError('BAD_ARGUMENT', `offset must be an integer in [0, 2^53), got ${offset}.`);
  }
  const n = tf.util.sizeFromShape(out.shape);
  const per = kind === 'signs' ? 128 : 4;
  const skip = offset % per;
  const first = (offset - skip) / per;
  dispatch(b, {
    key: `frugal random ${kind} ${store}`,
    code: () => (kind === 'signs' ? signs(store) : fours(kind, store)),
    writes: { result: out },
    uniforms: [
      ['hi', 'u32', hi >>> 0],
      ['lo', 'u32', lo >>> 0],
      ['low', 'u32', first % 2 ** 32],
      ['top', 'u32', Math.floor(first / 2 ** 32)],
      ['skip', 'u32', skip],
      ['n', 'u32', n],
      ...more,
    ],
    workgroups: n === 0 ? 0 : Math.ceil((skip + n) / per / WORKGROUP),
    workgroupSize: WORKGROUP,
  });
}

function sampler(name: string, kind: Kind): Registration {
  return over(name, () => ({ attrs, backend }) => {
    const { shape, ...where } = attrs as unknown as RandomAttrs;
    const out = backend.makeTensorInfo(shape, kind === 'bits' ? 'int32' : 'float32');
    stream(backend, kind, where, out, 'result[i] = value;');
    return out;
  });
}

export const randomKernels: readonly Registration[] = [
  sampler(KernelName.RandomBits, 'bits'),
  sampler(KernelName.RandomUniform, 'uniform'),
  sampler(KernelName.RandomNormal, 'normal'),
  sampler(KernelName.RandomSigns, 'signs'),
  over(KernelName.AddNoise, () => ({ inputs, attrs, backend }) => {
    const p = inputs['p']!;
    const { noise, scale, ...where } = attrs as unknown as AddNoiseAttrs;
    expectFloat(KernelName.AddNoise, p);
    const out = replacement(backend, p, [p]);
    stream(backend, noise, where, out, 'result[i] += u.scale * value;', [['scale', 'f32', scale]]);
    return out;
  }),
];
