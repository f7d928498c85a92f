import { type Cost, type Event, FrugalError, type Meter } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { Json } from '../checkpoint/index.ts';
import type { StepRecord } from './advancer.ts';
import type { EventChannel } from './channel.ts';
import type { Hook, LiveRun } from './hook.ts';

/** A fresh event without its time, which the reporter adds to it. */
export type Timeless = Event extends infer E ? (E extends Event ? Omit<E, 'time'> : never) : never;

/** A cost as the metrics of an event. */
export function costMetrics({ flops, bytes, peakBytes, ms, energy }: Cost): Record<string, number> {
  const { wattHours, gramsCO2 } = energy;
  return { flops, bytes, peakBytes, seconds: ms / 1000, wattHours, gramsCO2 };
}

function numbers(aux: NonNullable<StepRecord['aux']>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(aux).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}

/** JSON has no NaN: null stands for it. */
function toJson(metrics: Readonly<Record<string, number>>): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
  );
}

/** What a report keeps in checkpoints. */
interface SavedReport {
  lossSum: number | null;
  examples: number;
  evaluatedAt: number;
  metrics: Record<string, number | null>;
}

/** Tells hooks and listeners what happens, and sums up the losses of an epoch. */
export class Reporter {
  /** Metrics of the last evaluation. */
  metrics: Record<string, number> = {};
  /** The step of the last evaluation; −1 before the first. */
  evaluatedAt = -1;
  #lossSum = 0;
  #examples = 0;
  #waiting: Promise<void>[] = [];
  readonly #started: number = performance.now();
  readonly #channel: EventChannel;
  readonly #hooks: readonly Hook[];
  readonly #live: LiveRun;
  readonly #meter: Meter | undefined;
  readonly #hyperparams: (step: number) => Record<string, number>;

  constructor(parts: {
    channel: EventChannel;
    hooks: readonly Hook[];
    live: LiveRun;
    meter: Meter | undefined;
    hyperparams: ((step: number) => Record<string, number>) | undefined;
  }) {
    this.#channel = parts.channel;
    this.#hooks = parts.hooks;
    this.#live = parts.live;
    this.#meter = parts.meter;
    this.#hyperparams = parts.hyperparams ?? (() => ({}));
  }

  /** Tells everybody at once; what hooks still have to do is awaited in `settled`. */
  emit(event: Timeless): void {
    const timed: Event = Object.assign(event, { time: performance.now() - this.#started });
    this.#channel.push(timed);
    for (const hook of this.#hooks) {
      const doing = hook.onEvent(timed, this.#live);
      if (doing instanceof Promise) this.#waiting.push(doing);
    }
  }

  /** Waits for the hooks. @throws What they throw. */
  async settled(): Promise<void> {
    while (this.#waiting.length > 0) await Promise.all(this.#waiting.splice(0));
  }

  get busy(): boolean {
    return this.#waiting.length > 0;
  }

  step({ step, loss, examples, aux }: StepRecord, epoch: number): void {
    this.#lossSum += loss * examples;
    this.#examples += examples;
    const hyperparams = this.#hyperparams(step - 1);
    const metrics = aux === undefined ? hyperparams : { ...hyperparams, ...numbers(aux) };
    this.emit({ type: 'step', step, epoch, loss, examples, metrics });
  }

  get cost(): Record<string, number> {
    return this.#meter === undefined ? {} : costMetrics(this.#meter.read());
  }

  /** Closes an epoch. */
  epoch(epoch: number, step: number): void {
    const loss = this.#lossSum / this.#examples;
    this.emit({
      type: 'epoch',
      epoch,
      step,
      loss,
      metrics: { ...this.#hyperparams(Math.max(0, step - 1)), ...this.cost },
    });
    this.metrics = { ...this.metrics, loss };
    this.#lossSum = 0;
    this.#examples = 0;
  }

  evaluated(metrics: Readonly<Record<string, number>>, epoch: number, step: number): void {
    this.evaluatedAt = step;
    this.metrics = { ...this.metrics, ...metrics };
    this.emit({ type: 'evaluation', epoch, step, metrics: { ...metrics } });
  }

  /** For a checkpoint: what is needed to go on, and the hooks' tensors, which stay theirs. */
  save(): { report: Json; hooks: Json; tensors: Record<string, tf.Tensor> } {
    const hooks: Record<string, Json> = {};
    const tensors: Record<string, tf.Tensor> = {};
    for (const hook of this.#hooks) {
      const saved = hook.save?.();
      if (saved === undefined) continue;
      hooks[hook.name] = saved.values ?? null;
      for (const [path, tensor] of Object.entries(saved.tensors ?? {})) tensors[`${hook.name}.${path}`] = tensor;
    }
    const report = {
      lossSum: Number.isFinite(this.#lossSum) ? this.#lossSum : null,
      examples: this.#examples,
      evaluatedAt: this.evaluatedAt,
      metrics: toJson(this.metrics),
    };
    return { report, hooks, tensors };
  }

  /** Goes on where `save` was called. `tensors` become the hooks'. */
  load(report: Json, hooks: Json, tensors: Readonly<Record<string, tf.Tensor>>): void {
    const saved = report as unknown as SavedReport;
    this.#lossSum = saved.lossSum ?? Number.NaN;
    this.#examples = saved.examples;
    this.evaluatedAt = saved.evaluatedAt;
    this.metrics = Object.fromEntries(
      Object.entries(saved.metrics).map(([name, value]) => [name, value ?? Number.NaN]),
    );
    const left = new Set(Object.keys(tensors));
    for (const hook of this.#hooks) {
      const prefix = `${hook.name}.`;
      const own = Object.entries(tensors).filter(([name]) => name.startsWith(prefix) && left.delete(name));
      const values = (hooks as Record<string, Json>)[hook.name];
      if (values === undefined || hook.load === undefined) for (const [, tensor] of own) tensor.dispose();
      else hook.load({ values, tensors: Object.fromEntries(own.map(([name, t]) => [name.slice(prefix.length), t])) });
    }
    for (const name of left) tensors[name]!.dispose();
  }
}

/** A listener's own failure must not end a run that may have taken hours: it becomes a note. */
export function noteOf(error: unknown): string {
  const code = error instanceof FrugalError ? ` (${error.code})` : '';
  return `A listener failed and gets no more events: ${error instanceof Error ? error.message : String(error)}${code}`;
}
