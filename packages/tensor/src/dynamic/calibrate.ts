import * as tf from '@tensorflow/tfjs-core';
import { key } from '../random/index.ts';
import type { Dataset, Labelled, Module, Staged, Tree } from '../seams/index.ts';
import { runPlanned } from './run-planned.ts';
import { type SolveBudgetOptions, type Solved, solveBudget } from './solve-budget.ts';

/** Options of `calibratePlans`. */
export interface CalibratePlansOptions extends SolveBudgetOptions {
  /** What the layers are told for a value of the knob. */
  readonly knobs: (value: number) => object;
}

/**
 * Finds the value of one knob for all planning layers of a model at which an example costs `flops` on average, by
 * running the data at several values (six to eight passes, as a rule).
 *
 * @param data Examples that the budget should hold on, ten thousand or more for 3 %; the labels are not read.
 * @throws {FrugalError} `BAD_BUDGET` if no value of the knob costs that.
 */
export async function calibratePlans<P extends Tree>(
  model: Module<P> | Staged<P>,
  params: P,
  data: Dataset<Labelled>,
  flops: number,
  options: CalibratePlansOptions,
): Promise<Solved> {
  const costOf = async (value: number): Promise<number> => {
    const knobs = options.knobs(value);
    let [sum, examples] = [0, 0];
    for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
      const { output, cost } = await runPlanned(model, params, x, { knobs: () => knobs });
      for (const one of cost) sum += one;
      examples += cost.length;
      tf.dispose([x, y, output]);
    }
    return sum / examples;
  };
  return solveBudget(costOf, flops, options);
}
