import type { Tensor } from '@tensorflow/tfjs-core';
import type { Tree } from './tree.ts';

/** What a run tells its listeners, discriminated by `type`. Times are milliseconds since the start of the run. */
export type Event =
  | {
      type: 'start';
      time: number;
      totalSteps: number | undefined;
      parameters: number;
      backend: string;
      resumedAt: number;
    }
  | {
      type: 'step';
      time: number;
      step: number;
      epoch: number;
      loss: number | undefined;
      examples: number;
      metrics: Record<string, number>;
    }
  | { type: 'epoch'; time: number; epoch: number; step: number; loss: number; metrics: Record<string, number> }
  | { type: 'evaluation'; time: number; epoch: number; step: number; metrics: Record<string, number> }
  | { type: 'checkpoint'; time: number; step: number; path: string }
  | { type: 'anomaly'; time: number; step: number; what: string; action: 'stop' | 'skip' | 'rollback' }
  | { type: 'note'; time: number; step: number; message: string }
  | {
      type: 'end';
      time: number;
      step: number;
      epoch: number;
      reason: 'finished' | 'aborted' | 'stopped';
      metrics: Record<string, number>;
    };

/** How a run ended. The caller owns all tensors in it. */
export interface RunResult<P extends Tree = Tree> {
  params: P;
  /** The parameters to evaluate and to ship, where they are not the trained ones: averaged, schedule-free. */
  evaluationParams?: P;
  /** State of the optimizer. */
  optimizer: Tree;
  /** State of the modules, by path. */
  state: Record<string, Tensor>;
  steps: number;
  epochs: number;
  reason: 'finished' | 'aborted' | 'stopped';
  metrics: Record<string, number>;
}

/** A training run under way. It starts at once and is no thenable: await `result`. */
export interface Run<P extends Tree = Tree> {
  /** Every listener that iterates gets the events from then on; a slow one loses the oldest beyond a bound. */
  readonly events: AsyncIterable<Event>;
  readonly result: Promise<RunResult<P>>;
  /** Ends the run after the current step; `result` then resolves with reason `'aborted'`. */
  abort(reason?: string): void;
}
