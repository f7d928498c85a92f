import { type CheckpointStore, type Hook, indexedDbStore, saveTo, train } from '@frugal/core-trainer';
import {
  createMeter,
  decodeSafetensors,
  type Event,
  foldIn,
  key,
  type Run,
  type RunResult,
  type Tree,
  treeDispose,
  treeEntries,
  treeRestore,
} from '@frugal/tensor';
import { type Config, format, runOf } from '../config.ts';
import type { Knobs, Question, Report } from '../protocol.ts';
import { estimatorOf, optimizerOf } from './gradients.ts';
import type { Task } from './task.ts';
import { zerosOf } from './zeros.ts';

const TICK_MS = 80;
const VIEW_MS = 450;

/** A number that tells two sets of weights apart, from all their bits (FNV-1a). */
async function digest(params: Tree): Promise<string> {
  let hash = 0x811c9dc5;
  for (const [, leaf] of treeEntries(params)) {
    const values = (await leaf.data()) as Float32Array;
    for (const byte of new Uint8Array(values.slice().buffer)) hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** A training run that the page watches, changes, pauses and asks. */
export class Session {
  readonly #task: Task;
  readonly #config: Config;
  readonly #report: (report: Report, transfer?: Transferable[]) => void;
  readonly #knobs: { -readonly [K in keyof Knobs]: Knobs[K] };
  /** When the task was last looked at, and at which step. */
  #looked = { at: Number.NEGATIVE_INFINITY, step: -1 };
  #run: Run<Tree> | undefined;
  #questions: { id: number; question: Question }[] = [];
  /** Weights of a run that is paused. */
  #resting: Tree | undefined;
  #steps = 0;
  /** The run has failed: nobody will answer. */
  #over = false;

  /** @param knobs The task reads them whenever it looks. */
  constructor(task: Task, config: Config, knobs: Knobs, report: (report: Report) => void) {
    this.#task = task;
    this.#config = config;
    this.#report = report;
    this.#knobs = knobs;
  }

  /** What acts within the run: at the next step, or on what is shown of a run that rests. */
  turn(knobs: Knobs): void {
    const { sure } = this.#knobs;
    Object.assign(this.#knobs, knobs);
    if (knobs.sure === sure) return;
    this.#looked = { at: Number.NEGATIVE_INFINITY, step: -1 };
    if (this.#run === undefined && this.#resting !== undefined) void this.#look(this.#resting, this.#steps);
  }

  /** Trains until it is paused. What acts within a run does not count for what may be resumed. */
  async train(resume: boolean, weights?: Uint8Array): Promise<void> {
    try {
      await this.#train(resume, weights);
    } finally {
      this.#over = this.#resting === undefined;
      if (this.#over) this.#refuseAll();
    }
  }

  async #train(resume: boolean, weights?: Uint8Array): Promise<void> {
    const { seed } = this.#config;
    const store: CheckpointStore = indexedDbStore(
      `frugal-lab ${format({ ...runOf(this.#config), backend: 'auto', until: 0 })}`,
    );
    const meter = createMeter();
    const imported = weights === undefined ? undefined : await this.#imported(weights);
    const run = train<Tree, Tree>({
      model: this.#task.model,
      loss: this.#task.loss,
      optimizer: optimizerOf(this.#config, () => this.#knobs.rate),
      estimator: await estimatorOf(this.#config, this.#task),
      data: this.#task.data,
      key: foldIn(key(seed), 9),
      steps: this.#config.until > 0 ? this.#config.until : 1_000_000,
      meter,
      hooks: [this.#watcher(meter)],
      checkpoint: saveTo(store, { everySteps: 500, resume }),
      guards: { nonFinite: 'rollback' },
      yieldEvery: 12,
      ...(imported !== undefined && { params: imported }),
    });
    this.#run = run;
    try {
      const result: RunResult<Tree> = await run.result;
      treeDispose([result.optimizer, Object.values(result.state)] as never);
      this.#resting = result.params;
      this.#steps = result.steps;
      await this.#look(result.params, result.steps);
      this.#report({ type: 'paused', step: result.steps, digest: await digest(result.params) });
      await this.#answerAll(result.params);
    } finally {
      this.#run = undefined;
      if (imported !== undefined) treeDispose(imported);
    }
  }

  async #imported(bytes: Uint8Array): Promise<Tree> {
    const { tensors } = await decodeSafetensors(bytes);
    const like = this.#task.model.init(key(0));
    try {
      return treeRestore(like, Object.entries(tensors));
    } finally {
      treeDispose(like);
    }
  }

  pause(): void {
    this.#run?.abort('paused');
  }

  dispose(): void {
    if (this.#resting !== undefined) treeDispose(this.#resting);
    this.#resting = undefined;
  }

  /** Answers between two steps, or at once where the run rests. */
  ask(id: number, question: Question): void {
    this.#questions.push({ id, question });
    if (this.#over) this.#refuseAll();
    else if (this.#run === undefined && this.#resting !== undefined) void this.#answerAll(this.#resting);
  }

  #refuseAll(): void {
    for (const { id } of this.#questions.splice(0)) {
      this.#report({ type: 'answer', id, answer: undefined, error: 'The run has failed.' });
    }
  }

  async #answerAll(params: Tree): Promise<void> {
    if (this.#questions.length === 0) return;
    const { answer } = await import('./questions.ts');
    for (const { id, question } of this.#questions.splice(0)) {
      try {
        const given = await answer(this.#task, params, question, { ...this.#config, ...this.#knobs });
        this.#report({ type: 'answer', id, answer: given });
      } catch (error) {
        this.#report({ type: 'answer', id, answer: undefined, error: (error as Error).message });
      }
    }
  }

  async #look(params: Tree, step: number): Promise<void> {
    this.#looked = { at: performance.now(), step };
    this.#report({ type: 'evaluation', step, value: await this.#task.evaluate(params) });
    this.#report({ type: 'view', view: await this.#task.view(params), layers: await zerosOf(this.#task, params) });
    this.#looked.at = performance.now();
  }

  #watcher(meter: ReturnType<typeof createMeter>): Hook {
    let steps: number[] = [];
    let losses: number[] = [];
    let examples = 0;
    let ticked = performance.now();
    const tick = (event: Event & { step: number; epoch: number }): void => {
      const now = performance.now();
      const { flops, energy } = meter.read();
      const seconds = (now - ticked) / 1000;
      const perSecond = examples / seconds;
      const wattHours = (energy.joules ?? 0) / 3600;
      const tick = {
        step: event.step,
        epoch: event.epoch,
        steps,
        losses,
        flops,
        wattHours,
        examplesPerSecond: perSecond,
        seconds: event.time / 1000,
      };
      this.#report({ type: 'tick', tick });
      [steps, losses, examples, ticked] = [[], [], 0, now];
    };
    return {
      name: 'lab',
      onEvent: async (event, live) => {
        if (event.type === 'start') {
          const { parameters, resumedAt } = event;
          const { metric, goal } = this.#task;
          this.#report({ type: 'started', resumedAt, parameters, metric, goal });
          await this.#look(live.params, event.resumedAt);
        }
        if (event.type === 'note' || event.type === 'anomaly') {
          this.#report({
            type: 'note',
            message: event.type === 'note' ? event.message : `${event.what} (${event.action})`,
          });
        }
        if (event.type !== 'step') return;
        examples += event.examples;
        if (event.loss !== undefined) {
          steps.push(event.step);
          losses.push(event.loss);
        }
        if (performance.now() - ticked >= TICK_MS) tick(event);
        if (this.#questions.length > 0) await this.#answerAll(live.params);
        const { at, step } = this.#looked;
        const due = event.step - step >= this.#task.every || step < 0;
        if (due && performance.now() - at >= VIEW_MS) await this.#look(live.params, event.step);
      },
    };
  }
}
