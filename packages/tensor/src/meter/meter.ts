import { interpret } from '../interpret/index.ts';
import { Counter } from './counter.ts';
import { type Energy, type EnergyOptions, estimateEnergy, measuredEnergy } from './energy.ts';

/** What one kind of kernel cost. */
export interface KernelCost {
  readonly kernel: string;
  readonly calls: number;
  /** 2 per multiply-add; undefined for a kernel without a formula. */
  readonly flops: number | undefined;
  /** Read and written. */
  readonly bytes: number;
  /**
   * Milliseconds inside the kernel, by the host's clock: GPU backends return before the device is done. Undefined
   * without `kernelTimes`.
   */
  readonly ms: number | undefined;
}

/** What a program cost. */
export interface Cost {
  /** 2 per multiply-add. A lower bound if `unknown` is not empty. */
  readonly flops: number;
  /** Bytes that kernels read and wrote. */
  readonly bytes: number;
  /** Most bytes of tensors alive at once, above those alive at the start. Scratch memory inside of kernels is not seen. */
  readonly peakBytes: number;
  /** Wall time in milliseconds. */
  readonly ms: number;
  /** By kernel, the most FLOPs first. */
  readonly kernels: readonly KernelCost[];
  /** Kernels that ran and have no formula: tell the meter with `registerFlops`. */
  readonly unknown: readonly string[];
  readonly energy: Energy;
  /** How FLOPs are counted. */
  readonly convention: string;
}

/** A program's result and what it cost. */
export interface Metered<R> extends Cost {
  readonly result: R;
}

/** What a meter measures beside counting, and how it finds out about energy. */
export interface MeterOptions extends EnergyOptions {
  /** Take the time of each kernel, too; doubles what metering costs. Default true for `meter`, false for `createMeter`. */
  kernelTimes?: boolean;
}

/** A meter that adds up over many runs, e.g. over the steps of a training. */
export interface Meter {
  /** Runs `fn`, synchronous or asynchronous, and counts it. */
  run<R>(fn: () => R): R;
  /** What all runs since the last `reset` cost together; `peakBytes` is the largest of a run. */
  read(): Cost;
  reset(): void;
}

const CONVENTION = '2 FLOPs per multiply-add; comparisons and elementary functions (exp, log, sqrt, tanh) 1 each';

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof (value as { then?: unknown } | null)?.then === 'function';

/**
 * A meter that adds up over many runs.
 *
 * Not counted, since no kernel runs: `tf.tensor`, tfjs's own random numbers, `Variable.assign` (their time is).
 */
export function createMeter(options: MeterOptions = {}): Meter {
  const { kernelTimes = false } = options;
  let counter = new Counter(kernelTimes);
  let ms = 0;
  let joules = 0;
  const counters = options.counters ?? [];
  const readJoules = (): number => counters.reduce((sum, one) => sum + one.joules(), 0);
  return {
    run<R>(fn: () => R): R {
      const joulesBefore = counters.length === 0 ? 0 : readJoules();
      counter.begin();
      const start = performance.now();
      const finish = (): void => {
        ms += performance.now() - start;
        if (counters.length > 0) joules += readJoules() - joulesBefore;
      };
      let result: R;
      try {
        result = interpret(counter, fn);
      } catch (error) {
        finish();
        throw error;
      }
      if (isPromise(result)) return result.finally(finish) as R;
      finish();
      return result;
    },
    read: () =>
      toCost(
        counter,
        kernelTimes,
        ms,
        counters.length > 0 ? measuredEnergy(joules, options) : estimateEnergy(ms, options),
      ),
    reset(): void {
      counter = new Counter(kernelTimes);
      ms = 0;
      joules = 0;
    },
  };
}

function toCost(counter: Counter, kernelTimes: boolean, ms: number, energy: Energy): Cost {
  const kernels = [...counter.kernels.values()]
    .map(({ name, formulas, calls, flops, bytes, ms }): KernelCost => {
      return {
        kernel: name,
        calls,
        flops: formulas === undefined ? undefined : flops,
        bytes,
        ms: kernelTimes ? ms : undefined,
      };
    })
    .sort((a, b) => (b.flops ?? 0) - (a.flops ?? 0) || b.bytes - a.bytes);
  return {
    flops: kernels.reduce((sum, { flops = 0 }) => sum + flops, 0),
    bytes: kernels.reduce((sum, { bytes }) => sum + bytes, 0),
    peakBytes: counter.peak,
    ms,
    kernels,
    unknown: kernels.filter(({ flops }) => flops === undefined).map(({ kernel }) => kernel),
    energy,
    convention: CONVENTION,
  };
}

/**
 * Runs a program and counts what it costs: FLOPs, bytes moved, peak memory, time, energy and CO₂, forward and backward.
 *
 * @param fn The program, synchronous or asynchronous. Its tensors are its own: wrap it in `tf.tidy` if it leaves some.
 * @param options How energy is found out.
 * @returns The result of `fn` and its cost; a promise of them where `fn` is asynchronous.
 * @throws What `fn` throws, and `ASYNC_INTERPRETER` like `interpret`.
 */
export function meter<R>(fn: () => Promise<R>, options?: MeterOptions): Promise<Metered<R>>;
export function meter<R>(fn: () => R, options?: MeterOptions): Metered<R>;
export function meter<R>(fn: () => R | Promise<R>, options: MeterOptions = {}): Metered<R> | Promise<Metered<R>> {
  const one = createMeter({ kernelTimes: true, ...options });
  const result = one.run(fn);
  if (isPromise(result)) return result.then((value) => ({ result: value as R, ...one.read() }));
  return { result, ...one.read() };
}
