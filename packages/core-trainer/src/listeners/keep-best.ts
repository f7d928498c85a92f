import { FrugalError, type Tree, treeClone, treeDispose, treeEntries, treeRestore } from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Hook } from '../loop/index.ts';
import { improves, type WatchOptions, watched } from './watch.ts';

/** The best parameters that a run has had. */
export interface Best<P extends Tree = Tree> {
  /** The watched number. */
  readonly value: number;
  readonly step: number;
  /** Those that were evaluated: averaged ones where the run averages. They stay the hook's. */
  readonly params: P;
}

/** A hook that knows the best parameters. */
export interface KeepBest<P extends Tree = Tree> extends Hook {
  /** The best so far; undefined before the first look. */
  readonly best: Best<P> | undefined;
  /** The best parameters, handed over: the caller owns them from now on. @throws {FrugalError} If there are none. */
  take(): P;
  /** Frees what it holds. */
  dispose(): void;
}

/**
 * Keeps a copy of the parameters each time that a metric is better than ever; in checkpoints too.
 *
 *     const best = keepBest({ metric: 'accuracy', mode: 'max' });
 *     await train({ …, evaluate: validation, hooks: [best] }).result;
 *     const params = best.take();
 *
 * Memory: the parameters once more.
 */
export function keepBest<P extends Tree = Tree>(options: WatchOptions = {}): KeepBest<P> {
  const { mode = 'min' } = options;
  let best: Best<P> | undefined;
  /** From a checkpoint; the structure is known when the run starts. */
  let loaded: { value: number; step: number; tensors: Record<string, Tensor> } | undefined;

  const dispose = (): void => {
    if (best !== undefined) treeDispose(best.params);
    if (loaded !== undefined) treeDispose(loaded.tensors);
    best = undefined;
    loaded = undefined;
  };

  return {
    name: 'keepBest',
    get best() {
      return best;
    },
    take() {
      if (best === undefined) {
        throw new FrugalError(
          'NO_BEST',
          'There are no best parameters yet. Evaluate at least once: pass evaluate to train.',
        );
      }
      const { params } = best;
      best = undefined;
      return params;
    },
    dispose,
    onEvent(event, run) {
      if (event.type === 'start' && loaded !== undefined) {
        const { value, step, tensors } = loaded;
        best = { value, step, params: treeRestore(run.params as P, Object.entries(tensors)) };
        loaded = undefined;
      }
      const value = watched(event, options);
      if (value === undefined || !improves(value, best?.value, mode)) return;
      const params = run.withEvaluationParams((current) => treeClone(current as P));
      if (best !== undefined) treeDispose(best.params);
      best = { value, step: run.step, params };
    },
    save() {
      if (best === undefined) return { values: null };
      const { value, step, params } = best;
      return {
        values: { value, step },
        tensors: Object.fromEntries(treeEntries(params as Tree)) as Record<string, Tensor>,
      };
    },
    load({ values, tensors }) {
      dispose();
      if (values !== null) loaded = { ...(values as { value: number; step: number }), tensors };
    },
  };
}
