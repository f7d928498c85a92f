import { applyMasks, magnitudeMasks } from '@frugal/sparsity-metrics';
import { encodeSafetensors, key, type Tree, treeDispose, treeEntries } from '@frugal/tensor';
import type { Config } from '../config.ts';
import type { Advice, Cut, Question } from '../protocol.ts';
import { optimizerOf } from './gradients.ts';
import type { Task } from './task.ts';

/** Bars of the histogram of weights. */
const BARS = 40;

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
  treeDispose([masks, pruned] as never);
  return { before, after, weights, left: kept.reduce((a, b) => a + b, 0), edges, counts, kept };
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
    forwards: cost.forwards,
  };
}

/** Answers what the page asks about the weights as they are. */
export async function answer(task: Task, params: Tree, question: Question, config: Config): Promise<unknown> {
  switch (question.what) {
    case 'export':
      return encodeSafetensors(params, { metadata: { config: JSON.stringify(config) } });
    case 'cut':
      return cut(task, params, question.share);
    case 'digit':
      if (task.digit === undefined) throw new Error('This network reads no digits. Choose the task “Digits”.');
      return task.digit(params, question.pixels);
    case 'probe':
      return advise(task, params, config);
  }
}
