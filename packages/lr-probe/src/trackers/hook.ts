import type { Event, Tree } from '@frugal/tensor';

/** What a tracker sees of a run; the `LiveRun` of `@frugal/core-trainer` is one. */
export interface TrackedRun {
  readonly step: number;
  /** Stay the run's. */
  readonly params: Tree;
  /** The optimizer's state, where the loop shows it. */
  readonly optimizer?: Tree;
}

/** A tracker: pass it among `hooks` of core-trainer's `train`, or call `onEvent` from a loop of your own. */
export interface Tracker {
  readonly name: string;
  onEvent(event: Event, run: TrackedRun): Promise<void>;
}

/** Whether to look at this event: after every so many steps, the first included. */
export function isDue(event: Event, every: number): event is Event & { type: 'step' } {
  return event.type === 'step' && (event.step - 1) % every === 0;
}
