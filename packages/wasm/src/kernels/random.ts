import { type AddNoiseAttrs, KernelName, type RandomAttrs } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { expectFloat, over, type Registration, refusal } from './over.ts';

/** Numbers of the maps in assembly/random.ts. */
const KIND = { bits: 0, uniform: 1, normal: 2, signs: 3 } as const;
type Kind = keyof typeof KIND;

/** Elements that four blocks give. */
const perQuad = (kind: Kind): number => (kind === 'signs' ? 512 : 16);

/** Scratch of a thread: the words of four blocks and their elements. */
const SCRATCH = 64 + 512 * 4;

interface Stream {
  readonly hi: number;
  readonly lo: number;
  readonly offset: number;
}

/** Writes elements offset … offset + n of a stream (docs/random.md), or p + scale · elements. */
function stream(
  runtime: Runtime,
  kind: Kind,
  { hi, lo, offset }: Stream,
  n: number,
  out: number,
  p = 0,
  scale = 1,
): void {
  if (n === 0) return;
  const skip = offset % perQuad(kind);
  const block = ((offset - skip) / perQuad(kind)) * 4;
  runtime.needScratch(SCRATCH);
  const quads = Math.ceil((skip + n) / perQuad(kind));
  // A number costs about as much as these multiply-adds.
  const work = n * { bits: 8, uniform: 8, normal: 20, signs: 1 }[kind];
  runtime.run(
    Op.Random,
    [n, out, lo, hi, block % 2 ** 32, Math.floor(block / 2 ** 32), skip, KIND[kind], p, bits(scale)],
    runtime.chunks(work, quads),
  );
}

function checkOffset(name: string, offset: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0) throw refusal(name, `takes an offset in [0, 2^53), got ${offset}`);
}

function sampler(name: string, kind: Kind): Registration {
  return over(name, (runtime) => ({ attrs }) => {
    const { shape, ...where } = attrs as unknown as RandomAttrs;
    checkOffset(name, where.offset);
    const out = runtime.output(shape, kind === 'bits' ? 'int32' : 'float32');
    stream(runtime, kind, where, tf.util.sizeFromShape(shape), runtime.address(out));
    return out;
  });
}

export const randomKernels: readonly Registration[] = [
  sampler(KernelName.RandomBits, 'bits'),
  sampler(KernelName.RandomUniform, 'uniform'),
  sampler(KernelName.RandomNormal, 'normal'),
  sampler(KernelName.RandomSigns, 'signs'),
  over(KernelName.AddNoise, (runtime) => ({ inputs, attrs }) => {
    const p = inputs['p']!;
    const { noise, scale, ...where } = attrs as unknown as AddNoiseAttrs;
    expectFloat(KernelName.AddNoise, p);
    checkOffset(KernelName.AddNoise, where.offset);
    const out = runtime.replacement(p, [p]);
    const size = tf.util.sizeFromShape(p.shape);
    stream(runtime, noise, where, size, runtime.address(out), runtime.address(p), scale);
    return out;
  }),
];
