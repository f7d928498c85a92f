import type { Schedule } from '@frugal/tensor';
import { checkNumber } from '../arguments.ts';

const clamp = (x: number): number => Math.min(1, Math.max(0, x));

/** From 1 to 0 along half a cosine while `share` goes from 0 to 1. */
const halfCosine = (share: number): number => (1 + Math.cos(Math.PI * clamp(share))) / 2;

const checkSteps = (name: string, steps: number): number => checkNumber(name, steps, { min: 1, integer: true });

/** The same value at every step. */
export function constant(value: number): Schedule {
  checkNumber('value', value);
  return () => value;
}

/** Options of `linear`. */
export interface LinearOptions {
  /** Steps from `from` to `to`; `to` holds afterwards. */
  steps: number;
}

/** A straight line: from + (to − from) · min(1, step / steps). */
export function linear(from: number, to: number, { steps }: LinearOptions): Schedule {
  checkSteps('steps', steps);
  return (step) => from + (to - from) * clamp(step / steps);
}

/** Options of `warmup`. */
export interface WarmupOptions {
  /** Steps before `schedule` starts. */
  steps: number;
  /** Where the line starts. Default 0, which is never used itself: the first step gets 1/(steps + 1) of the way. */
  from?: number;
}

/**
 * A linear warm-up in front of a schedule, which starts when the warm-up is over.
 *
 * from + (schedule(0) − from) · (step + 1) / (steps + 1) while step < steps, then schedule(step − steps).
 */
export function warmup(schedule: Schedule, { steps, from = 0 }: WarmupOptions): Schedule {
  checkNumber('steps', steps, { min: 0, integer: true });
  return (step) => {
    if (step >= steps) return schedule(step - steps);
    return from + ((schedule(0) - from) * (step + 1)) / (steps + 1);
  };
}

/** Options of `cosine`. */
export interface CosineOptions {
  /** Steps of the whole run, warm-up included. */
  steps: number;
  /** Steps of linear warm-up from 0. Default 0. */
  warmup?: number;
  /** The value at the end. Default 0. */
  final?: number;
}

/**
 * Linear warm-up, then half a cosine from `peak` to `final` (arXiv 1608.03983, without restarts).
 *
 * final + (peak − final) · (1 + cos(π · (step − warmup) / (steps − warmup))) / 2; `final` holds after `steps`.
 */
export function cosine(peak: number, options: CosineOptions): Schedule {
  const { steps, warmup: warm = 0, final = 0 } = options;
  checkSteps('steps', steps);
  checkNumber('warmup', warm, { min: 0, max: steps - 1, integer: true });
  const decay: Schedule = (step) => final + (peak - final) * halfCosine(step / (steps - warm));
  return warmup(decay, { steps: warm });
}

/** Options of `wsd`. */
export interface WsdOptions {
  /** Steps of the whole run. */
  steps: number;
  /** Steps of linear warm-up. Default 0. */
  warmup?: number;
  /** Steps of the decay at the end. Default a tenth of `steps`. */
  decay?: number;
  /** The value at the end. Default 0. */
  final?: number;
  /** How it falls: a line, half a cosine, or 1 − √share, which arXiv 2405.18392 found best. Default `'sqrt'`. */
  shape?: 'linear' | 'cosine' | 'sqrt';
}

const shapes = {
  linear: (share: number) => 1 - share,
  cosine: halfCosine,
  sqrt: (share: number) => 1 - Math.sqrt(share),
};

/** Warm-up, stable, decay (arXiv 2404.06395): the length of a run can be decided while it runs. */
export function wsd(peak: number, options: WsdOptions): Schedule {
  const { steps, warmup: warm = 0, final = 0, shape = 'sqrt' } = options;
  checkSteps('steps', steps);
  const decay = options.decay ?? Math.max(1, Math.floor(steps / 10));
  checkSteps('decay', decay);
  checkNumber('warmup', warm, { min: 0, max: steps - decay, integer: true });
  const stable = steps - warm - decay;
  return warmup((step) => final + (peak - final) * shapes[shape](clamp((step - stable) / decay)), { steps: warm });
}

/** Options of `exponential`. */
export interface ExponentialOptions {
  /** The factor that `every` steps bring, in (0, 1] to decay. */
  factor: number;
  /** Default 1. */
  every?: number;
  /** Falls only at multiples of `every` instead of in between. Default false. */
  staircase?: boolean;
  /** The value never passes this one. Default: no bound. */
  final?: number;
}

/** initial · factor^(step / every). */
export function exponential(initial: number, options: ExponentialOptions): Schedule {
  const { factor, every = 1, staircase = false, final } = options;
  checkNumber('factor', factor, { min: 0, max: Number.MAX_VALUE, exclusive: true });
  checkSteps('every', every);
  return (step) => {
    const exponent = staircase ? Math.floor(step / every) : step / every;
    const value = initial * factor ** exponent;
    if (final === undefined) return value;
    return factor <= 1 ? Math.max(final, value) : Math.min(final, value);
  };
}

/** The value of the last entry whose step has come: `piecewise({ 0: 0.1, 1000: 0.01 })`. An entry for step 0 is needed. */
export function piecewise(values: Readonly<Record<number, number>>): Schedule {
  const entries = Object.entries(values).map(([step, value]): [number, number] => [Number(step), value]);
  entries.sort(([a], [b]) => a - b);
  for (const [step, value] of entries) {
    checkNumber('a step of values', step, { min: 0, integer: true });
    checkNumber(`the value at step ${step}`, value);
  }
  checkNumber('the first step of values', entries[0]?.[0] ?? Number.NaN, { min: 0, max: 0 });
  return (step) => entries.findLast(([from]) => from <= step)![1];
}

/** Options of `oneCycle`. */
export interface OneCycleOptions {
  /** Steps of the whole run. */
  steps: number;
  /** The share of the steps on the way up, in (0, 1). Default 0.3. */
  rise?: number;
  /** The start is peak / startDivisor. Default 25. */
  startDivisor?: number;
  /** The end is peak / startDivisor / endDivisor. Default 10,000. */
  endDivisor?: number;
}

/** One cycle of super-convergence (arXiv 1708.07120): half a cosine up to `peak`, half a cosine down to almost nothing. */
export function oneCycle(peak: number, options: OneCycleOptions): Schedule {
  const { steps, rise = 0.3, startDivisor = 25, endDivisor = 1e4 } = options;
  checkSteps('steps', steps);
  checkNumber('rise', rise, { min: 0, max: 1, exclusive: true });
  const top = rise * steps;
  const start = peak / startDivisor;
  const end = start / endDivisor;
  return (step) =>
    step < top
      ? peak + (start - peak) * halfCosine(step / top)
      : end + (peak - end) * halfCosine((step - top) / (steps - top));
}

/** Options of `inverseSqrt`. */
export interface InverseSqrtOptions {
  /** Steps of linear warm-up, and the time scale of the decay: the rate is halved at 4 · warmup. */
  warmup: number;
}

/** Linear warm-up, then peak · √(warmup / step) (arXiv 1706.03762): a decay that needs no last step. */
export function inverseSqrt(peak: number, { warmup: warm }: InverseSqrtOptions): Schedule {
  checkSteps('warmup', warm);
  return warmup((step) => peak * Math.sqrt(warm / (step + warm)), { steps: warm });
}

/**
 * Schedules one after another: `schedules[i + 1]` takes over at `boundaries[i]` and counts its steps from there.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT` unless there is one boundary less than schedules, in ascending order.
 */
export function join(schedules: readonly Schedule[], boundaries: readonly number[]): Schedule {
  checkNumber('the number of boundaries', boundaries.length, { min: schedules.length - 1, max: schedules.length - 1 });
  boundaries.forEach((boundary, i) => {
    checkNumber(`boundaries[${i}]`, boundary, { min: i === 0 ? 0 : boundaries[i - 1]!, integer: true });
  });
  return (step) => {
    const past = boundaries.filter((boundary) => boundary <= step).length;
    return schedules[past]!(past === 0 ? step : step - boundaries[past - 1]!);
  };
}
