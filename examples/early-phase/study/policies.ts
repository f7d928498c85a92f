// Everything that recommends a rate, asked for one seed of one task.
import { adamw, momentum, sgd, softmaxCrossEntropy } from '@frugal/core-trainer';
import { toDataset } from '@frugal/datasets';
import {
  criticalFraction,
  newtonPolicy,
  type OptimizerFactory,
  type Policy,
  ProbeError,
  type Problem,
  probe,
  rangeTest,
} from '@frugal/lr-probe';
import type { Dataset, Key, Labelled, Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type NetTask, netOf, type OptimizerName } from './tasks.ts';

/** The optimizers with their settings. */
export const optimizers: Readonly<Record<OptimizerName, OptimizerFactory>> = { sgd, momentum, adamw };

/** What one would take without looking: good for ordinary nets with warm-up and a cosine. */
export const table: Readonly<Record<OptimizerName, number>> = { sgd: 0.3, momentum: 0.05, adamw: 0.01 };

/** What somebody recommends, and what that cost; no rate where the search failed. */
export interface Pick {
  readonly policy: string;
  readonly rate: number | undefined;
  readonly flops: number;
  readonly ms: number;
}

/** The batches that training sees. */
export function batchesOf({ train }: NetTask): Dataset<Labelled> {
  return toDataset(train, { batchSize: 32, dropRemainder: true });
}

/** A task as a problem for the probes. */
export function problemOf(task: NetTask, params: Tree, key: Key): Problem<Tree, Labelled> {
  const net = netOf(task);
  return {
    loss(p, { x, y }, ctx) {
      const output = net.apply(p as never, x, ctx);
      const losses =
        task.kind === 'regression' ? tf.square(tf.sub(tf.squeeze(output, [1]), y)) : softmaxCrossEntropy(output, y);
      return tf.mul(losses, task.lossScale);
    },
    params,
    data: batchesOf(task),
    key,
  };
}

/** Asks all policies. Also what a training step costs, from the range test. */
export async function askAll<B extends Tree = Labelled>(
  problem: Problem<Tree, B>,
  name: OptimizerName,
  steps: number,
): Promise<{ picks: Pick[]; stepFlops: number }> {
  const optimizer = optimizers[name];
  const picks: Pick[] = [];
  const ask = async (label: string, options: { setting?: 'quick' | 'thorough'; policy?: Policy }): Promise<void> => {
    const start = performance.now();
    try {
      const { rate, cost } = await probe(problem, { optimizer, steps, ...options });
      picks.push({ policy: label, rate, flops: cost.flops, ms: cost.ms });
    } catch (error) {
      if (!(error instanceof ProbeError)) throw error;
      picks.push({ policy: label, rate: undefined, flops: 0, ms: performance.now() - start });
    }
  };
  await ask('thorough', { setting: 'thorough' });
  await ask('quick', { setting: 'quick' });
  await ask('half η_c', { policy: criticalFraction(0.5) });
  await ask('generalised Newton', { policy: newtonPolicy() });
  const { suggestions, cost, points } = await rangeTest(problem, { optimizer });
  for (const rule of ['steep', 'minimum', 'valley', 'slide'] as const) {
    picks.push({ policy: rule, rate: suggestions[rule], flops: cost.flops, ms: cost.ms });
  }
  picks.push({ policy: 'table', rate: table[name], flops: 0, ms: 0 });
  return { picks, stepFlops: cost.flops / points.length };
}
