import { applyMasks, magnitudeMasks } from '@frugal/sparsity-metrics';
import { encodeSafetensors, key, type Tree, treeDispose, treeEntries } from '@frugal/tensor';
import type { Config } from '../config.ts';
import type { Advice, Cut, Question, WeightPicture } from '../protocol.ts';
import { optimizerOf } from './gradients.ts';
import type { Task } from './task.ts';

/** Bars of the histogram of weights. */
const BARS = 40;
/** Matrices that are shown, the largest first, and their rows and columns at most. */
const [PICTURES, SIDE] = [3, 64];

async function histogram(params: Tree, edges: readonly number[]): Promise<number[]> {
  const counts = new Array<number>(BARS).fill(0);
  const top = edges.at(-1)!;
  for (const [, leaf] of treeEntries(params)) {
    for (const weight of (await leaf.data()) as Float32Array) {
      if (weight !== 0) counts[Math.min(BARS - 1, Math.floor((Math.abs(weight) / top) * BARS))]!++;
    }
  }
  return counts;
}

/** Rows or columns of a matrix, evenly spread. */
const spread = (size: number): number[] => {
  const count = Math.min(size, SIDE);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * size) / count));
};

/** The largest matrices before and after the cut. */
async function picturesOf(params: Tree, pruned: Tree): Promise<WeightPicture[]> {
  const after = new Map(treeEntries(pruned));
  const matrices = treeEntries(params).filter(([, { shape }]) => shape.length >= 2 && shape.at(-1)! > 1);
  const largest = matrices.toSorted(([, a], [, b]) => b.size - a.size).slice(0, PICTURES);
  return Promise.all(
    largest.map(async ([name, leaf]) => {
      const [whole, left] = await Promise.all([leaf.data(), after.get(name)!.data()]);
      const width = leaf.shape.at(-1)!;
      const [rows, columns] = [spread(leaf.size / width), spread(width)];
      const places = rows.flatMap((row) => columns.map((column) => row * width + column));
      const top = places.reduce((most, place) => Math.max(most, Math.abs(whole[place]!)), 1e-9);
      // What was not cut stays visible, however small.
      const shade = (weight: number): number => Math.sign(weight) * Math.ceil((127 * Math.abs(weight)) / top);
      const picture = (values: ArrayLike<number>): Int8Array =>
        Int8Array.from(places, (place) => shade(values[place]!));
      return { name, rows: rows.length, columns: columns.length, before: picture(whole), after: picture(left) };
    }),
  );
}

/** Removes the smallest weights, over all layers, and asks again. The run is not touched. */
async function cut(task: Task, params: Tree, share: number): Promise<Cut> {
  let top = 0;
  let weights = 0;
  for (const [, leaf] of treeEntries(params)) {
    for (const weight of (await leaf.data()) as Float32Array) top = Math.max(top, Math.abs(weight));
    weights += leaf.size;
  }
  const edges = Array.from({ length: BARS + 1 }, (_, i) => (top * i) / BARS);
  const before = await task.evaluate(params);
  const counts = await histogram(params, edges);
  const masks = await magnitudeMasks(params, { sparsity: share });
  const pruned = applyMasks(params, masks);
  const after = await task.evaluate(pruned);
  const kept = await histogram(pruned, edges);
  const pictures = await picturesOf(params, pruned);
  treeDispose([masks, pruned] as never);
  return { before, after, weights, left: kept.reduce((a, b) => a + b, 0), edges, counts, kept, pictures };
}

/** The learning-rate range test on a copy, from where the run stands. */
async function advise(task: Task, params: Tree, config: Config): Promise<Advice> {
  const { rangeTest } = await import('@frugal/lr-probe');
  const optimizer = (rate: number | ((step: number) => number)) => optimizerOf(config, rate);
  const problem = { loss: task.loss, params, data: task.data, key: key(config.seed) };
  const { smoothed, suggestions, cost } = await rangeTest(problem as never, {
    optimizer,
    from: 1e-5,
    to: 3,
    steps: 80,
  });
  const found = Object.entries(suggestions).flatMap(([rule, rate]) => (rate === undefined ? [] : [{ rule, rate }]));
  return {
    points: smoothed.map(({ rate, loss }) => ({ rate, loss })),
    suggestions: found,
    rate: suggestions.valley ?? suggestions.steep,
    gradients: cost.gradients,
  };
}

/** Answers what the page asks about the weights as they are. */
export async function answer(task: Task, params: Tree, question: Question, config: Config): Promise<unknown> {
  switch (question.what) {
    case 'export':
      return encodeSafetensors(params, { metadata: { config: JSON.stringify(config) } });
    case 'cut':
      return cut(task, params, config.cut / 100);
    case 'digit':
      if (task.digit === undefined) throw new Error('This network reads no digits. Choose the task “Digits”.');
      return task.digit(params, question.pixels);
    case 'probe':
      return advise(task, params, config);
  }
}
