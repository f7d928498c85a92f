import { type Event, FrugalError } from '@frugal/tensor';

/** Which number of a run to watch. */
export interface WatchOptions {
  /** A metric of `evaluation` events, or of `epoch` events where the run evaluates nothing. Default `'loss'`. */
  metric?: string;
  /** Whether less or more is better. Default `'min'`. */
  mode?: 'min' | 'max';
  /** Events that are looked at. Default `'evaluation'`. */
  on?: 'evaluation' | 'epoch';
}

/**
 * The watched number, if this event has it.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT` if such an event comes without it, naming what there is.
 */
export function watched(event: Event, { metric = 'loss', on = 'evaluation' }: WatchOptions): number | undefined {
  if (event.type !== on) return undefined;
  const values = event.type === 'epoch' ? { ...event.metrics, loss: event.loss } : event.metrics;
  const value = values[metric];
  if (value !== undefined) return value;
  throw new FrugalError(
    'INVALID_ARGUMENT',
    `metric is '${metric}', and the ${on} has only ${Object.keys(values).join(', ') || 'none'}. Watch one of these.`,
  );
}

/** Whether `value` beats `best` by more than `minDelta`. NaN beats nothing, and is beaten by every number. */
export function improves(value: number, best: number | undefined, mode: 'min' | 'max', minDelta = 0): boolean {
  if (Number.isNaN(value)) return false;
  if (best === undefined || Number.isNaN(best)) return true;
  return mode === 'min' ? value < best - minDelta : value > best + minDelta;
}
