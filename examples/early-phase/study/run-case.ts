// One task with one optimizer: the grid and what every policy's rate leads to, seed by seed.
import { prodigy, scheduleFreeAdamw, train } from '@frugal/core-trainer';
import { warmCosine } from '@frugal/lr-probe';
import type { Dataset, Key, Labelled, Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { askAll, batchesOf, type Pick, problemOf } from './policies.ts';
import { type Outcome, trainStack } from './stack.ts';
import { keyOf, lossOn, type NetTask, netOf, type OptimizerName } from './tasks.ts';

/** Where a full run ended. */
export interface End {
  readonly rate: number;
  /** Null where it diverged, as JSON has no NaN. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  /** Steps until somebody would have stopped it: all, or those up to a loss of twice the first. */
  readonly steps: number;
}

/** A seed: what was recommended and what came of it. */
export interface Seed {
  /** The loss before the first step, on the test examples. */
  readonly start: number;
  readonly stepFlops: number;
  readonly grid: readonly End[];
  readonly picks: readonly (Pick & { readonly end: End | undefined })[];
}

/** One task with one optimizer. */
export interface Case {
  readonly task: string;
  readonly optimizer: OptimizerName;
  readonly steps: number;
  readonly seeds: readonly Seed[];
}

/** Thirteen rates, two a decade. */
export const grids: Readonly<Record<OptimizerName, readonly number[]>> = {
  sgd: halfDecades(-4),
  momentum: halfDecades(-5),
  adamw: halfDecades(-6),
};

function halfDecades(from: number): number[] {
  return Array.from({ length: 13 }, (_, i) => 10 ** (from + i / 2));
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

function endOf({ rate, loss, accuracy, losses }: Outcome): End {
  const stopped = losses.findIndex((value) => !(value <= 2 * losses[0]!));
  return { rate, loss: finite(loss), accuracy: finite(accuracy), steps: stopped < 0 ? losses.length : stopped + 1 };
}

/** Endless batches, epoch after epoch. */
function reader(data: Dataset<Labelled>, key: Key): () => Promise<Labelled> {
  async function* all(): AsyncGenerator<Labelled> {
    for (let epoch = 0; ; epoch++) yield* data.batches({ key, epoch });
  }
  const batches = all();
  return async () => (await batches.next()).value as Labelled;
}

/** How a case is run. */
export interface CaseOptions {
  readonly steps: number;
  readonly seeds: number;
  /** Who recommends. Default: everybody, with Schedule-Free and Prodigy beside AdamW. */
  readonly ask?: typeof askAll;
}

/** Runs a case for some seeds. Probes, grid and policies start from the same parameters. */
export async function runCase(
  task: NetTask,
  optimizer: OptimizerName,
  { steps, seeds, ask = askAll }: CaseOptions,
): Promise<Case> {
  const done: Seed[] = [];
  for (let seed = 0; seed < seeds; seed++) {
    const params = netOf(task).init(keyOf(seed, 0));
    const start = await lossOn(task, params, task.test);
    const { picks, stepFlops } = await ask(problemOf(task, params as Tree, keyOf(seed, 1)), optimizer, steps);
    const grid = grids[optimizer];
    const asked = picks.filter(({ rate }) => rate !== undefined);
    const outcomes = await trainStack({
      ...{ task, optimizer, steps, params, shape: warmCosine(0.1) },
      rates: [...grid, ...asked.map(({ rate }) => rate!)],
      batch: reader(batchesOf(task), keyOf(seed, 2)),
    });
    const ends = outcomes.map(endOf);
    const free = optimizer === 'adamw' && ask === askAll ? await runFree(task, params as Tree, seed, steps) : [];
    done.push({
      start: start.loss,
      stepFlops,
      grid: ends.slice(0, grid.length),
      picks: [...picks.map((pick) => ({ ...pick, end: ends[grid.length + asked.indexOf(pick)] })), ...free],
    });
    tf.dispose(params as unknown as tf.TensorContainer);
  }
  return { task: task.name, optimizer, steps, seeds: done };
}

/** Optimizers that want no rate, at their defaults. */
async function runFree(task: NetTask, params: Tree, seed: number, steps: number): Promise<Seed['picks']> {
  const { loss } = problemOf(task, params, keyOf(seed, 2));
  const made: Seed['picks'][number][] = [];
  for (const [policy, optimizer] of [
    ['Schedule-Free', scheduleFreeAdamw(0.0025, { warmup: Math.round(0.1 * steps) })],
    ['Prodigy', prodigy(warmCosine(0.1)(1, steps))],
  ] as const) {
    const result = await train({
      model: netOf(task),
      loss: loss as never,
      params: params as never,
      data: batchesOf(task),
      ...{ optimizer, steps, key: keyOf(seed, 2), guards: { nonFinite: 'ignore' } },
    }).result.catch(() => undefined);
    let end: End | undefined;
    if (result !== undefined) {
      const reached = await lossOn(task, (result.evaluationParams ?? result.params) as never, task.test);
      end = { rate: 0, loss: finite(reached.loss), accuracy: finite(reached.accuracy), steps };
      const { evaluationParams = [] } = result;
      tf.dispose([result.params, evaluationParams, result.optimizer, result.state] as never);
    }
    made.push({ policy, rate: undefined, flops: 0, ms: 0, end });
  }
  return made;
}
