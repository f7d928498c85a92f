import {
  type Context,
  createMeter,
  createState,
  type Dataset,
  type Estimate,
  foldIn,
  type Key,
  type LossFunction,
  type ModuleState,
  split,
  type Tree,
  treeDispose,
  treeLeaves,
  valueAndGrad,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { ProbeCost, ProbeEvent, ProbeOptions, Problem } from './problem.ts';

/** Examples in a batch: the first axis of its first tensor. */
export const examplesIn = (batch: unknown): number => treeLeaves(batch as Tree)[0]?.shape[0] ?? 1;

const isDataset = <B>(data: Dataset<B> | readonly B[]): data is Dataset<B> => !Array.isArray(data);

/** What kind of pass is counted. */
type Pass = 'forward' | 'gradient' | 'update' | 'note';

/**
 * A problem held still: the same batches in the same order for everything that is tried on it, frozen noise, module
 * state that is copied for each pass, and a count of what was spent.
 */
export class Scene<P extends Tree, B> {
  readonly problem: Problem<P, B>;
  readonly #options: ProbeOptions;
  readonly #keys: { data: Key; steps: Key; evaluation: Key };
  readonly #batches: B[] = [];
  #source: AsyncIterator<B> | undefined;
  #epoch = 0;
  readonly #start = performance.now();
  readonly #counts: Record<Pass, number> = { forward: 0, gradient: 0, update: 0, note: 0 };
  /** FLOPs of one pass per example (of one update as a whole), metered once. */
  readonly #flops = new Map<Pass, number>();
  #total = 0;

  constructor(problem: Problem<P, B>, options: ProbeOptions = {}) {
    this.problem = problem;
    this.#options = options;
    const [data, steps, evaluation] = split(problem.key, 3) as [Key, Key, Key];
    this.#keys = { data, steps, evaluation };
  }

  /** The key of a training step. */
  stepKey(step: number): Key {
    return foldIn(this.#keys.steps, step);
  }

  /** For random vectors and the like. */
  get key(): Key {
    return this.#keys.evaluation;
  }

  /** Batch i of the run; kept, so that whoever comes next sees the same. */
  async batch(i: number): Promise<B> {
    const { data } = this.problem;
    if (!isDataset(data)) return data[i % data.length]!;
    while (this.#batches.length <= i) {
      this.#source ??= data.batches({ key: this.#keys.data, epoch: this.#epoch++ })[Symbol.asyncIterator]();
      const { value, done } = await this.#source.next();
      if (done === true) this.#source = undefined;
      else this.#batches.push(value);
    }
    return this.#batches[i]!;
  }

  /** As many of the first batches as hold `examples` examples, at most an epoch. */
  async batchesOf(examples: number): Promise<B[]> {
    const { data } = this.problem;
    const most = isDataset(data) ? data.batchesPerEpoch : data.length;
    const batches: B[] = [];
    for (let count = 0; count < examples && batches.length < most; ) {
      const next = await this.batch(batches.length);
      batches.push(next);
      count += examplesIn(next);
    }
    return batches;
  }

  /** Fresh module state, to be disposed by the caller. */
  state(): ModuleState {
    return createState(this.problem.state);
  }

  /** The mean loss on some batches, as training would see it but with frozen noise and without touching `state`. */
  async loss(params: P, batches: readonly B[], state?: ModuleState): Promise<number> {
    let sum = 0;
    let examples = 0;
    for (const [i, batch] of batches.entries()) {
      const size = examplesIn(batch);
      const scratch = state === undefined ? this.state() : state.clone();
      // The key of the training step on this very batch: a step and its evaluation see the same dropout.
      const ctx: Context = { train: true, key: this.stepKey(i), state: scratch };
      let value: tf.Tensor;
      try {
        value = this.#counted('forward', size, () => tf.tidy(() => tf.mean(this.problem.loss(params, batch, ctx))));
      } finally {
        scratch.dispose();
      }
      sum += size * (await read(value));
      examples += size;
    }
    return sum / examples;
  }

  /** The loss and the gradient on a batch, as step `step` of training would have them; `state` moves on. */
  gradient(params: P, batch: B, step: number, state: ModuleState): Estimate {
    const { loss, estimator } = this.problem;
    const key = this.stepKey(step);
    const ctx = { train: true, state };
    return this.#counted('gradient', examplesIn(batch), () => {
      if (estimator !== undefined) return estimator(loss as LossFunction<P, B>, params, batch, key, ctx);
      const [value, grads] = valueAndGrad((p: P) => tf.mean(loss(p, batch, { ...ctx, key })))(params);
      return { loss: value, grads };
    });
  }

  /** Runs what an optimizer does in a step, counted. */
  update<R>(f: () => R): R {
    return this.#counted('update', 1, f);
  }

  /** Runs what takes note of a gradient, counted. */
  note(f: () => void): void {
    this.#counted('note', 1, f);
  }

  #counted<R>(pass: Pass, size: number, f: () => R): R {
    this.#options.signal?.throwIfAborted();
    this.#counts[pass]++;
    let flops = this.#flops.get(pass);
    if (flops !== undefined) {
      this.#total += flops * size;
      return f();
    }
    const meter = createMeter();
    const result = meter.run(f);
    flops = meter.read().flops / size;
    this.#flops.set(pass, flops);
    this.#total += flops * size;
    return result;
  }

  tell(event: ProbeEvent): void {
    this.#options.onEvent?.(event);
  }

  /** What was spent so far. */
  get cost(): ProbeCost {
    const { forward: forwards, gradient: gradients } = this.#counts;
    return { forwards, gradients, flops: this.#total, ms: performance.now() - this.#start };
  }

  /** FLOPs of one training step; undefined before the first. */
  stepFlops(batch: B): number | undefined {
    const gradient = this.#flops.get('gradient');
    return gradient === undefined ? undefined : gradient * examplesIn(batch) + (this.#flops.get('update') ?? 0);
  }

  /** Frees the batches; call it whatever happens. */
  async dispose(): Promise<void> {
    for (const batch of this.#batches.splice(0)) treeDispose(batch as Tree);
    await this.#source?.return?.();
    this.#source = undefined;
  }
}

/** Reads a scalar and frees it. */
export async function read(value: tf.Tensor): Promise<number> {
  try {
    return (await value.data())[0]!;
  } finally {
    value.dispose();
  }
}

/** Runs `f` on a scene and cleans up after it. */
export async function onScene<P extends Tree, B, R>(
  problem: Problem<P, B>,
  options: ProbeOptions,
  f: (scene: Scene<P, B>) => Promise<R>,
): Promise<R> {
  const scene = new Scene(problem, options);
  try {
    return await f(scene);
  } finally {
    await scene.dispose();
  }
}

/** What a probe spent between two readings. */
export function costSince(before: ProbeCost, after: ProbeCost): ProbeCost {
  return {
    forwards: after.forwards - before.forwards,
    gradients: after.gradients - before.gradients,
    flops: after.flops - before.flops,
    ms: after.ms - before.ms,
  };
}
