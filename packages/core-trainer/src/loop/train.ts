import type { Run, RunResult, Tree } from '@frugal/tensor';
import { type AnyTrainOptions, checkTrainOptions, type TrainObjectiveOptions, type TrainOptions } from './options.ts';
import { TrainingRun } from './run.ts';

/**
 * Trains a model: estimates gradients on batches, updates the parameters, tells what happens, and can be interrupted and resumed.
 *
 *     const run = train({ model, objective: classification(), optimizer: adamw(1e-3), data, key: key(0), epochs: 5 });
 *     for await (const event of run.events) if (event.type === 'epoch') console.log(event.epoch, event.loss);
 *     const { params } = await run.result;
 *
 * It starts at once, and yields to the event loop, so a page stays alive. Equal options give equal results, bit for bit
 * on the same backend, also if the run was killed and resumed from a checkpoint any number of times.
 *
 * @returns The run. Its `result` owns tensors: the caller frees them. If the run fails, `result` rejects and iterating
 *   `events` throws.
 * @throws {FrugalError} `INVALID_ARGUMENT` at once; later, through the run, `CheckpointError` for a checkpoint that does
 *   not fit, `NonFiniteError` by its guard, and whatever the user's functions throw.
 */
export function train<P extends Tree, B>(options: TrainOptions<P, B>): Run<P>;
export function train<P extends Tree, B extends Tree, X extends Tree, Y extends Tree>(
  options: TrainObjectiveOptions<P, B, X, Y>,
): Run<P>;
export function train<P extends Tree>(options: unknown): Run<P> {
  return start(options as AnyTrainOptions<P, Tree>);
}

function start<P extends Tree>(options: AnyTrainOptions<P, Tree>): Run<P> {
  checkTrainOptions(options);
  const run = new TrainingRun(options);
  const result: Promise<RunResult<P>> = run.start();
  return {
    events: {
      [Symbol.asyncIterator]: () => {
        // Whoever iterates hears of a failure there; without anybody, it must not pass unnoticed.
        result.catch(() => undefined);
        return run.channel.subscribe();
      },
    },
    result,
    abort: (reason) => run.abort(reason),
  };
}
