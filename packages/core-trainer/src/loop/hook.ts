import type { Event, Tree } from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Json } from '../checkpoint/index.ts';

/** A run under way, as its hooks see it. */
export interface LiveRun<P extends Tree = Tree> {
  /** Updates made. */
  readonly step: number;
  readonly epoch: number;
  /** The parameters being trained. They stay the run's: clone what you keep. */
  readonly params: P;
  /** The optimizer's state. Stays the run's too. */
  readonly optimizer: Tree;
  /** Calls `f` with the parameters to evaluate and to ship: the averaged ones where there are some. */
  withEvaluationParams<R>(f: (params: P) => R): R;
  /** Ends the run after this step, with reason `'stopped'`. */
  stop(why: string): void;
}

/** What a hook puts into a checkpoint. */
export interface HookState {
  values?: Json;
  /** Stay the hook's. */
  tensors?: Record<string, Tensor>;
}

/**
 * A part of the loop that a user brings: sees each event when it happens, and may look at parameters or end the run.
 *
 * Unlike a listener, the loop waits for it, and what it knows goes into checkpoints.
 */
export interface Hook {
  /** Unique within a run; the name of its entry in checkpoints. */
  readonly name: string;
  onEvent(event: Event, run: LiveRun): void | Promise<void>;
  save?(): HookState;
  /** Called before the first event of a resumed run. `tensors` become the hook's. */
  load?(saved: { values: Json; tensors: Record<string, Tensor> }): void;
}

/** Consumes the events of a run: progress bars, logs, charts. The run's `result` waits for it. */
export type Listener = (events: AsyncIterable<Event>) => Promise<void>;
