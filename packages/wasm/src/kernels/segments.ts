import { KernelName, type SegmentMatMulAttrs, type SegmentMatMulWeightGradAttrs } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { Runtime } from '../runtime/runtime.ts';
import { ACTIVATION, GROUP_WORDS, multiply } from './matmul.ts';
import { expectFloat, over, type Registration, refusal } from './over.ts';

type Inputs = Record<string, tf.TensorInfo | undefined>;

/** One product among several: offsets in elements, rows of op(A), columns of op(B), depth. */
interface Group {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly bias: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Elements from one row of op(A), one column of op(B), one row of C to the next. */
interface Steps {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** Pieces are whole tiles of either variant, or whole strips of packed columns. */
const [TILE_ROWS, STRIP_COLUMNS] = [30, 64];

/** A product in about `parts` pieces along the longer side of C, for the shorter one is packed anew for every piece. */
function pieces(group: Group, parts: number, step: Steps): Group[] {
  const { a, b, c, bias, m, n } = group;
  const [extent, quantum] = n >= m ? [n, STRIP_COLUMNS] : [m, TILE_ROWS];
  const size = Math.ceil(extent / parts / quantum) * quantum;
  return Array.from({ length: Math.ceil(extent / size) }, (_, i) => {
    const from = i * size;
    const count = Math.min(size, extent - from);
    if (n >= m) return { ...group, b: b + from * step.b, c: c + from, bias: bias + from, n: count };
    return { ...group, a: a + from * step.a, c: c + from * step.c, m: count };
  });
}

/**
 * Products in the order in which threads take them: the largest first, and whole as long as the others still fill a
 * thread; the last ones in small pieces, so that all threads end at about the same time. An element's bits do not depend
 * on it.
 */
function tasks(groups: readonly Group[], step: Steps, threads: number): Group[] {
  const sorted = groups.filter(({ m, k }) => m * (k + 1) > 0).sort((x, y) => y.m * y.k - x.m * x.k);
  let left = sorted.reduce((sum, { m, k }) => sum + m * k, 0);
  if (threads === 1 || left === 0) return sorted;
  const least = left / (32 * threads);
  return sorted.flatMap((group) => {
    const work = group.m * group.k;
    const share = left / threads;
    left -= work;
    return work <= share ? [group] : pieces(group, Math.ceil(work / Math.max(least, share / 4)), step);
  });
}

/** The table of assembly/matmul.ts. */
function tableOf(groups: readonly Group[]): Int32Array {
  const table = new Int32Array(GROUP_WORDS * groups.length);
  let word = 0;
  for (const { a, b, c, bias, m, n, k } of groups) {
    for (const value of [a, b, c, bias, m, n, k]) table[word++] = value;
  }
  return table;
}

function checkEnds(name: string, ends: readonly number[], rows: number, segments: number): void {
  const sorted = ends.every((end, s) => end >= (ends[s - 1] ?? 0));
  if (ends.length !== segments || !sorted || (ends.at(-1) ?? 0) !== rows) {
    throw refusal(
      name,
      `takes one end per segment (${segments}), never decreasing, the last being ${rows}; got [${ends}]`,
    );
  }
}

function segments(
  runtime: Runtime,
  inputs: Inputs,
  { ends, transposeW, activation }: SegmentMatMulAttrs,
): tf.TensorInfo {
  const { x, w, bias } = inputs as { x: tf.TensorInfo; w: tf.TensorInfo } & Inputs;
  const name = KernelName.SegmentMatMul;
  expectFloat(name, x, w, bias);
  const [rows, k] = x.shape as [number, number];
  const [count, w0, w1] = w.shape as [number, number, number];
  const [inner, n] = transposeW ? [w1, w0] : [w0, w1];
  if (x.shape.length !== 2 || w.shape.length !== 3 || inner !== k)
    throw refusal(name, `cannot multiply [${x.shape}] by [${w.shape}]`);
  checkEnds(name, ends, rows, count);
  const kind = ACTIVATION[activation];
  if (kind === undefined) throw refusal(name, `knows linear, relu and gelu, not '${activation}'`);
  const out = runtime.output([rows, n]);
  const all = ends.map((end, s): Group => {
    const start = ends[s - 1] ?? 0;
    return { a: start * k, b: s * k * n, c: start * n, bias: s * n, m: end - start, n, k };
  });
  const groups = tasks(all, { a: k, b: transposeW ? k : 1, c: n }, runtime.threads);
  const [a, b, c] = [x, w, out].map((t) => runtime.address(t)) as [number, number, number];
  const product = { transposeA: false, transposeB: transposeW, n, k, a, b, c, activation: kind };
  multiply(runtime, {
    ...product,
    ...{ bias: bias ? runtime.address(bias) : 0, groups: tableOf(groups), batches: groups.length },
    m: rows / Math.max(1, groups.length),
  });
  return out;
}

function segmentWeightGrad(runtime: Runtime, inputs: Inputs, { ends }: SegmentMatMulWeightGradAttrs): tf.TensorInfo {
  const { x, dy } = inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
  const name = KernelName.SegmentMatMulWeightGrad;
  expectFloat(name, x, dy);
  const [rows, k] = x.shape as [number, number];
  const n = dy.shape[1]!;
  if (x.shape.length !== 2 || dy.shape.length !== 2 || dy.shape[0] !== rows)
    throw refusal(name, `cannot pair the rows of [${x.shape}] and [${dy.shape}]`);
  checkEnds(name, ends, rows, ends.length);
  const out = runtime.output([ends.length, k, n]);
  const all = ends.map((end, s): Group => {
    const start = ends[s - 1] ?? 0;
    return { a: start * k, b: start * n, c: s * k * n, bias: 0, m: k, n, k: end - start };
  });
  const groups = tasks(all, { a: 1, b: 1, c: n }, runtime.threads);
  const [a, b, c] = [x, dy, out].map((t) => runtime.address(t)) as [number, number, number];
  const product = { transposeA: true, transposeB: false, n, lda: k, ldb: n, a, b, c };
  const depth = rows / Math.max(1, groups.length);
  multiply(runtime, { ...product, m: k, k: depth, batches: groups.length, groups: tableOf(groups) });
  return out;
}

/** Products per segment of sorted rows: the experts of a mixture. */
export const segmentKernels: readonly Registration[] = [
  over(
    KernelName.SegmentMatMul,
    (runtime) =>
      ({ inputs, attrs }) =>
        segments(runtime, inputs, attrs as unknown as SegmentMatMulAttrs),
  ),
  over(
    KernelName.SegmentMatMulWeightGrad,
    (runtime) =>
      ({ inputs, attrs }) =>
        segmentWeightGrad(runtime, inputs, attrs as unknown as SegmentMatMulWeightGradAttrs),
  ),
];
