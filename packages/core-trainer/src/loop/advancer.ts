import type { Estimate, Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { disposeBatch, examplesIn } from '../data/batch.ts';
import {
  describeFinding,
  type Finding,
  findCulprit,
  type Guard,
  NonFiniteError,
  nonFinitePaths,
  sumOf,
} from '../guards/index.ts';
import { cloneProgress, disposeProgress, type Progress } from './progress.ts';
import { disposeEstimate, type Stepper } from './stepper.ts';

/** A step that was made. */
export interface StepRecord {
  /** Updates made, this one included. */
  readonly step: number;
  readonly loss: number;
  readonly examples: number;
  readonly aux: Estimate['aux'];
}

/** Where an advancer tells what happened. */
export interface AdvancerEvents {
  stepped(record: StepRecord): void;
  anomaly(what: string, step: number, action: 'stop' | 'skip' | 'rollback'): void;
  rolledBack(step: number): Promise<void>;
}

/** A step whose loss has not been read yet. */
interface Pending<B> {
  readonly batch: B;
  readonly step: number;
  readonly examples: number;
  readonly aux: Estimate['aux'];
  readonly loss: tf.Scalar;
  /** Finite only if the gradients are. */
  readonly gradients: tf.Scalar | undefined;
}

const { isFinite: finite } = Number;

async function read(scalar: tf.Scalar): Promise<number> {
  return (await scalar.data())[0]!;
}

/** Makes steps, reads their losses every so often, and watches that everything stays finite. */
export class Advancer<P extends Tree, B> {
  progress: Progress<P>;
  readonly #stepper: Stepper<P, B>;
  readonly #guard: Guard;
  readonly #readEvery: number;
  readonly #events: AdvancerEvents;
  /** What `'rollback'` goes back to. */
  #snapshot: Progress<P> | undefined;
  /** With `readEvery` > 1: the steps since the last reading, and what was there before them, to find out afterwards. */
  #pending: Pending<B>[] = [];
  #start: Progress<P> | undefined;
  #incidents = 0;

  constructor(
    stepper: Stepper<P, B>,
    progress: Progress<P>,
    settings: { guard: Guard; readEvery: number },
    events: AdvancerEvents,
  ) {
    this.#stepper = stepper;
    this.progress = progress;
    this.#guard = settings.guard;
    this.#readEvery = settings.readEvery;
    this.#events = events;
    if (this.#guard.nonFinite === 'rollback') this.#snapshot = cloneProgress(progress);
  }

  get #guarding(): boolean {
    return this.#guard.nonFinite !== 'ignore';
  }

  /** Makes a step with a batch, which it frees. */
  advance(batch: B): Promise<void> {
    const planning = this.#stepper.plan(this.progress, batch);
    return planning === undefined ? this.#step(batch) : planning.then((ready) => this.#step(ready));
  }

  #step(batch: B): Promise<void> {
    return this.#readEvery === 1 ? this.#checkedStep(batch) : this.#blindStep(batch);
  }

  /** The loss stays on the device for now. */
  async #blindStep(batch: B): Promise<void> {
    if (this.#guarding) this.#start ??= cloneProgress(this.progress);
    let estimate: Estimate | undefined;
    let taken = false;
    try {
      estimate = this.#stepper.estimate(this.progress, batch);
      const gradients = this.#guard.gradients ? sumOf(estimate.grads) : undefined;
      this.#stepper.apply(this.progress, batch, estimate);
      const { step } = this.progress;
      const loss = tf.clone(estimate.loss);
      this.#pending.push({ batch, step, examples: examplesIn(batch), aux: estimate.aux, loss, gradients });
      taken = this.#guarding;
    } finally {
      if (estimate !== undefined) disposeEstimate(estimate);
      if (!taken) disposeBatch(batch);
    }
    if (this.#pending.length >= this.#readEvery) await this.flush();
  }

  /** The loss is known before the update is made: nothing is spoilt. */
  async #checkedStep(batch: B): Promise<void> {
    const { progress } = this;
    const before = this.#guarding && progress.state.size > 0 ? progress.state.clone() : undefined;
    let estimate: Estimate | undefined;
    try {
      estimate = this.#stepper.estimate(progress, batch);
      const loss = await read(estimate.loss);
      if (this.#guarding && !(finite(loss) && (await this.#gradientsFinite(estimate)))) {
        const scene = { ...progress, state: before ?? progress.state };
        const finding = await this.#explain(scene, batch, estimate, loss);
        if (finding !== undefined) {
          if (before !== undefined) progress.state.load(Object.fromEntries(before.entries()));
          await this.#respond(finding);
          return;
        }
      }
      this.#stepper.apply(progress, batch, estimate);
      this.#went({ step: progress.step, loss, examples: examplesIn(batch), aux: estimate.aux });
      this.#takeSnapshot();
    } finally {
      before?.dispose();
      if (estimate !== undefined) disposeEstimate(estimate);
      disposeBatch(batch);
    }
  }

  async #gradientsFinite({ grads }: Estimate): Promise<boolean> {
    if (!this.#guard.gradients) return true;
    const sum = sumOf(grads);
    try {
      return finite(await read(sum));
    } finally {
      sum.dispose();
    }
  }

  /** Reads the losses that are still on the device. */
  async flush(): Promise<void> {
    const steps = this.#pending;
    if (steps.length === 0) return;
    this.#pending = [];
    const scalars = steps.flatMap(({ loss, gradients }) => (gradients === undefined ? [loss] : [loss, gradients]));
    const stacked = tf.stack(scalars);
    const values = await stacked.data();
    tf.dispose([stacked, ...scalars]);
    try {
      const width = scalars.length / steps.length;
      const suspicious = this.#guarding && values.some((value) => !finite(value));
      const finding = suspicious ? await this.#replay(steps) : undefined;
      for (const [i, { step, examples, aux }] of steps.entries()) {
        if (finding !== undefined && step >= finding.step) break;
        this.#went({ step, loss: values[i * width]!, examples, aux });
      }
      if (finding !== undefined) await this.#respond(finding);
      else this.#takeSnapshot();
    } finally {
      if (this.#guarding) for (const { batch } of steps) disposeBatch(batch);
      this.#forgetStart();
    }
  }

  /** Goes through the same steps again, looking at each. */
  async #replay(steps: readonly Pending<B>[]): Promise<Finding | undefined> {
    const again = cloneProgress(this.#start!);
    try {
      for (const { batch } of steps) {
        const state = again.state.clone();
        const estimate = this.#stepper.estimate(again, batch);
        try {
          const finding = await this.#explain({ ...again, state }, batch, estimate, await read(estimate.loss));
          if (finding !== undefined) return finding;
          this.#stepper.apply(again, batch, estimate);
        } finally {
          disposeEstimate(estimate);
          state.dispose();
        }
      }
      return undefined;
    } finally {
      disposeProgress(again);
    }
  }

  /** What is wrong with an estimate, made at `scene`; undefined if nothing is. */
  async #explain(scene: Progress<P>, batch: B, estimate: Estimate, loss: number): Promise<Finding | undefined> {
    const gradients = await nonFinitePaths(estimate.grads);
    if (finite(loss) && gradients.length === 0) return undefined;
    const parameters = await nonFinitePaths(scene.params);
    const state = scene.state.clone();
    const again = (): Estimate => this.#stepper.estimate({ ...scene, state }, batch);
    try {
      const culprit = parameters.length > 0 ? undefined : await findCulprit(again, disposeEstimate);
      return { step: scene.step + 1, loss, gradients, parameters, culprit };
    } finally {
      state.dispose();
    }
  }

  async #respond(finding: Finding): Promise<void> {
    const { nonFinite, limit } = this.#guard;
    this.#incidents++;
    const wanted = nonFinite === 'skip' || nonFinite === 'rollback' ? nonFinite : 'stop';
    const action = wanted !== 'stop' && this.#incidents > limit ? 'stop' : wanted;
    this.#events.anomaly(describeFinding(finding), finding.step, action);
    if (action === 'stop') {
      const advice =
        wanted === 'stop'
          ? "Lower the learning rate, clip the gradient, or pass guards: { nonFinite: 'skip' } or 'rollback'."
          : `It happened ${this.#incidents} times, and guards.limit is ${limit}. Lower the learning rate or look at the data.`;
      throw new NonFiniteError(finding, advice);
    }
    if (action === 'rollback') {
      disposeProgress(this.progress);
      this.progress = cloneProgress(this.#snapshot!);
      await this.#events.rolledBack(this.progress.step);
    }
  }

  #went(record: StepRecord): void {
    if (this.#guard.nonFinite === 'skip') this.#incidents = 0;
    this.#events.stepped(record);
  }

  #takeSnapshot(): void {
    if (this.#snapshot === undefined || this.progress.step - this.#snapshot.step < this.#guard.snapshotEvery) return;
    disposeProgress(this.#snapshot);
    this.#snapshot = cloneProgress(this.progress);
  }

  #forgetStart(): void {
    if (this.#start !== undefined) disposeProgress(this.#start);
    this.#start = undefined;
  }

  /** Frees all but `progress`. */
  dispose(): void {
    for (const { batch, loss, gradients } of this.#pending) {
      disposeBatch(batch);
      tf.dispose([loss, gradients].filter((scalar) => scalar !== undefined));
    }
    this.#pending = [];
    this.#forgetStart();
    if (this.#snapshot !== undefined) disposeProgress(this.#snapshot);
    this.#snapshot = undefined;
  }
}
