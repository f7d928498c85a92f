import { FrugalError, foldIn, type Key, type RunResult, split, type Tree, treeDispose, treeSize } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { CheckpointInfo, Json } from '../checkpoint/index.ts';
import type { CheckpointWriter } from '../checkpoint/writer.ts';
import { isDataset, openStream } from '../data/stream.ts';
import { backprop } from '../estimators/index.ts';
import { resolveGuard } from '../guards/index.ts';
import { withAverage } from '../transforms/index.ts';
import { Advancer } from './advancer.ts';
import { epochDue, stepDue } from './cadence.ts';
import { EventChannel } from './channel.ts';
import type { LiveRun } from './hook.ts';
import type { AnyTrainOptions, EvaluateOptions } from './options.ts';
import { createPacer } from './pacer.ts';
import { disposeProgress } from './progress.ts';
import { noteOf, Reporter } from './report.ts';
import { type Beginning, begin, dataSizes, optimizerParts, resultTrees } from './setup.ts';
import { Stepper } from './stepper.ts';
import { measureOn, resolveTask, type Task } from './task.ts';
import { defaultReadEvery, kernelVariant } from './variant.ts';

/** A run from its first step to its result; `train` is its face. */
export class TrainingRun<P extends Tree, B> {
  readonly channel: EventChannel = new EventChannel();
  readonly #options: AnyTrainOptions<P, B>;
  readonly #task: Task<P, B>;
  readonly #evaluate: EvaluateOptions<P, B> | undefined;
  readonly #optimizer: AnyTrainOptions<P, B>['optimizer'];
  readonly #reporter: Reporter;
  readonly #keys: { init: Key; data: Key; steps: Key; evaluation: Key };
  readonly #pause: () => Promise<void> | undefined;
  #advancer!: Advancer<P, unknown>;
  #writer: CheckpointWriter | undefined;
  #epoch = 0;
  /** Batches of this epoch that were consumed. */
  #batch = 0;
  #aborted: string | undefined;
  #stopped: string | undefined;
  /** The position of the last checkpoint. */
  #savedAt = '';

  constructor(options: AnyTrainOptions<P, B>) {
    this.#options = options;
    const { ema, evaluate, key } = options;
    const average = typeof ema === 'number' ? { decay: ema } : ema;
    this.#optimizer = average === undefined ? options.optimizer : withAverage(options.optimizer, average);
    this.#task = resolveTask(options);
    this.#evaluate = evaluate === undefined || 'on' in evaluate ? evaluate : { on: evaluate };
    const [init, data, steps, evaluation] = split(key, 4) as [Key, Key, Key, Key];
    this.#keys = { init, data, steps, evaluation };
    this.#pause = createPacer(options.yieldEvery ?? 16);
    const { hyperparams } = this.#optimizer;
    this.#reporter = new Reporter({
      channel: this.channel,
      hooks: options.hooks ?? [],
      live: this.#live(),
      meter: options.meter,
      hyperparams: hyperparams && ((step) => ({ ...hyperparams(step) })),
    });
  }

  abort(reason = 'abort() was called'): void {
    this.#aborted ??= reason;
  }

  /** Runs to the end, and cleans up whatever happens. */
  async start(): Promise<RunResult<P>> {
    const { signal, listeners = [] } = this.#options;
    const onAbort = (): void => this.abort(String(signal?.reason ?? 'the signal aborted'));
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener('abort', onAbort);
    const listening = listeners.map((listener) =>
      listener(this.channel.subscribe(true)).catch((error: unknown) =>
        this.#reporter.emit({ type: 'note', step: this.#advancer?.progress.step ?? 0, message: noteOf(error) }),
      ),
    );
    try {
      await Promise.resolve(); // whoever called train can subscribe before the first event
      const result = await this.#run();
      this.channel.close();
      await Promise.all(listening);
      return result;
    } catch (error) {
      this.channel.close(error);
      await Promise.all(listening);
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async #run(): Promise<RunResult<P>> {
    const beginning = await begin(this.#options, this.#task, this.#optimizer, this.#keys.init);
    this.#advancer = this.#createAdvancer(beginning);
    let finished = false;
    try {
      this.#announce(beginning);
      if (this.#complete) await this.#endEpoch(); // it was saved between its last step and its end
      while (!this.#over) {
        if (await this.#trainEpoch()) await this.#endEpoch();
        else await this.#settle(); // which may roll back, and then it goes on
      }
      const result = await this.#end();
      finished = true;
      return result;
    } finally {
      this.#advancer.dispose();
      if (!finished) {
        disposeProgress(this.#advancer.progress);
        await this.#writer?.settled().catch(() => undefined);
      }
    }
  }

  #createAdvancer({ progress, position, stale }: Beginning<P>): Advancer<P, unknown> {
    const { estimator = backprop(), guards, meter, readEvery, checkpoint } = this.#options;
    this.#epoch = position.epoch;
    this.#batch = position.batch;
    this.#writer = checkpoint?.writer(stale, (step, path) => this.#reporter.emit({ type: 'checkpoint', step, path }));
    const guard = resolveGuard(guards);
    const stepper = new Stepper({
      loss: this.#task.loss,
      plan: this.#task.plan,
      estimator,
      optimizer: this.#optimizer,
      key: this.#keys.steps,
      meter,
    });
    const every = readEvery ?? (guard.nonFinite === 'skip' ? 1 : defaultReadEvery());
    return new Advancer(
      stepper,
      progress,
      { guard, readEvery: every },
      {
        stepped: (record) => this.#reporter.step(record, this.#epoch),
        anomaly: (what, step, action) => this.#reporter.emit({ type: 'anomaly', what, step, action }),
        rolledBack: async (step) => this.#writer?.forgetAfter(step),
      },
    );
  }

  #announce({ progress, saved, notes }: Beginning<P>): void {
    const { step } = progress;
    if (saved !== undefined) {
      this.#reporter.load(saved.extra.report!, saved.extra.hooks!, saved.tensors);
      this.#savedAt = this.#here;
    }
    this.#reporter.emit({
      type: 'start',
      totalSteps: this.#totalSteps(step),
      parameters: treeSize(progress.params),
      backend: tf.getBackend(),
      resumedAt: step,
    });
    for (const message of notes) this.#reporter.emit({ type: 'note', step, message });
  }

  #totalSteps(done: number): number | undefined {
    const { steps, epochs, data } = this.#options;
    if (epochs === undefined || !isDataset(data)) return steps;
    // Batches that a guard left out make a resumed run shorter than epochs × batches.
    const left = (epochs - this.#epoch) * data.batchesPerEpoch - this.#batch;
    return Math.min(steps ?? Number.POSITIVE_INFINITY, done + Math.max(0, left));
  }

  get #over(): boolean {
    const { steps = Number.POSITIVE_INFINITY, epochs = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#aborted !== undefined || this.#stopped !== undefined) return true;
    return this.#epoch >= epochs || this.#made >= steps;
  }

  /** Updates made, those included whose losses are still to be read. */
  get #made(): number {
    return this.#advancer.progress.step;
  }

  get #here(): string {
    return `${this.#made} ${this.#epoch} ${this.#batch}`;
  }

  /** Trains to the end of the epoch or of the run; says whether the epoch is complete. */
  async #trainEpoch(): Promise<boolean> {
    const { data } = this.#options;
    const batches = isDataset(data)
      ? data.batches({ key: this.#keys.data, epoch: this.#epoch, from: this.#batch })
      : openStream(data, this.#epoch);
    const iterator = batches[Symbol.asyncIterator]();
    try {
      while (!this.#over) {
        const { done, value } = await iterator.next();
        if (done === true) return this.#endOfData();
        await this.#advancer.advance(this.#task.prepare(value));
        this.#batch++;
        const more = this.#afterStep();
        if (more !== undefined) await more;
      }
      return this.#complete;
    } finally {
      await iterator.return?.();
    }
  }

  /** Whether all batches of a dataset's epoch were consumed; a stream says so by ending. */
  get #complete(): boolean {
    const { data } = this.#options;
    return isDataset(data) && this.#batch >= data.batchesPerEpoch;
  }

  #endOfData(): true {
    if (this.#batch > 0) return true;
    throw new FrugalError(
      'NO_DATA',
      `data had no batches in epoch ${this.#epoch}. An async iterable serves one epoch; pass a function that opens it anew.`,
    );
  }

  /** What is due after a step; nothing to wait for after most of them. */
  #afterStep(): Promise<void> | undefined {
    const { checkpoint } = this.#options;
    const step = this.#made;
    const evaluates = this.#evaluate !== undefined && stepDue(this.#evaluate, step);
    const saves = checkpoint !== undefined && stepDue(checkpoint, step);
    if (evaluates || saves) return this.#interrupt(evaluates, saves);
    return this.#reporter.busy ? this.#reporter.settled().then(this.#pause) : this.#pause();
  }

  async #interrupt(evaluates: boolean, saves: boolean): Promise<void> {
    const { checkpoint } = this.#options;
    const savesEpoch = this.#complete && checkpoint !== undefined && epochDue(checkpoint, this.#epoch + 1);
    await this.#settle();
    if (evaluates) await this.#runEvaluation();
    if (saves && !savesEpoch) await this.#save();
    await this.#pause();
  }

  async #endEpoch(): Promise<void> {
    await this.#settle();
    this.#reporter.epoch(this.#epoch, this.#made);
    this.#epoch++;
    this.#batch = 0;
    const evaluates = this.#evaluate !== undefined && epochDue(this.#evaluate, this.#epoch);
    if (evaluates && this.#aborted === undefined) await this.#runEvaluation();
    await this.#reporter.settled();
    const { checkpoint } = this.#options;
    if (checkpoint !== undefined && epochDue(checkpoint, this.#epoch)) await this.#save();
  }

  /** Everything that happened so far is known, and told. */
  async #settle(): Promise<void> {
    await this.#advancer.flush();
    await this.#reporter.settled();
  }

  async #runEvaluation(): Promise<void> {
    const { state } = this.#advancer.progress;
    if (this.#reporter.evaluatedAt === this.#made) return;
    const scratch = state.clone();
    const own = this.#evaluationParams();
    try {
      const ctx = { train: false, key: foldIn(this.#keys.evaluation, this.#made), state: scratch };
      const { on } = this.#evaluate!;
      const params = own ?? this.#advancer.progress.params;
      const metrics = await (typeof on === 'function' ? on(params, ctx) : measureOn(this.#task, params, on, ctx));
      this.#reporter.evaluated(metrics, this.#epoch, this.#made);
    } finally {
      scratch.dispose();
      if (own !== undefined) treeDispose(own);
    }
    await this.#reporter.settled();
  }

  /** New tensors, or undefined where the trained parameters are the ones to evaluate. */
  #evaluationParams(): P | undefined {
    const { params, optimizer } = this.#advancer.progress;
    return this.#optimizer.evaluationParams?.(optimizer, params);
  }

  async #save(): Promise<void> {
    if (this.#writer === undefined || this.#savedAt === this.#here) return;
    const { params, optimizer, state, step } = this.#advancer.progress;
    const { report, hooks, tensors } = this.#reporter.save();
    const { data, key, ema } = this.#options;
    const extra: Json = { report, hooks, data: isDataset(data) ? dataSizes(data) : null };
    const info: CheckpointInfo = {
      step,
      position: { epoch: this.#epoch, batch: this.#batch },
      key,
      backend: tf.getBackend(),
      variant: kernelVariant(),
      extra,
    };
    const parts = {
      params,
      ...optimizerParts(optimizer, ema !== undefined),
      state: Object.fromEntries(state.entries()),
    };
    await this.#writer.save({ ...parts, hooks: tensors }, info);
    this.#savedAt = this.#here;
  }

  async #end(): Promise<RunResult<P>> {
    if (this.#evaluate !== undefined && this.#aborted === undefined) await this.#runEvaluation();
    await this.#save();
    await this.#writer?.settled();
    const { step } = this.#advancer.progress;
    const reason = this.#aborted !== undefined ? 'aborted' : this.#stopped !== undefined ? 'stopped' : 'finished';
    const why = this.#aborted ?? this.#stopped;
    if (why !== undefined) this.#reporter.emit({ type: 'note', step, message: `The run was ${reason}: ${why}.` });
    const metrics = { ...this.#reporter.metrics, ...this.#reporter.cost };
    this.#reporter.emit({ type: 'end', step, epoch: this.#epoch, reason, metrics });
    await this.#reporter.settled();
    const shipped = this.#evaluationParams();
    const trees = resultTrees(this.#advancer.progress, shipped, this.#options.ema !== undefined);
    return { ...trees, steps: step, epochs: this.#epoch, reason, metrics };
  }

  #live(): LiveRun {
    const run = this;
    return {
      get step() {
        return run.#made;
      },
      get epoch() {
        return run.#epoch;
      },
      get params() {
        return run.#advancer.progress.params;
      },
      get optimizer() {
        return run.#advancer.progress.optimizer;
      },
      withEvaluationParams(f) {
        const own = run.#evaluationParams();
        try {
          return f(own ?? run.#advancer.progress.params);
        } finally {
          if (own !== undefined) treeDispose(own);
        }
      },
      stop: (why) => {
        run.#stopped ??= why;
      },
    };
  }
}
