import * as tf from '@tensorflow/tfjs-core';
import { isDifferentiable, type Tangent } from './tangent.ts';

/** What a rule returns for the outputs: a tangent each (for one output just that), null for zero. */
export type TangentResult = Tangent | null | readonly (Tangent | null)[];

/**
 * The derivative of a kernel: from the tangents of its inputs to those of its outputs, linearly.
 *
 * Written in tf ops; called in a tidy, only if an input has a tangent. A tangent smaller than its output is broadcast.
 */
export type JvpRule = (call: JvpCall) => TangentResult;

/** Inputs of a kernel. */
export type KernelTensors = Readonly<Record<string, tf.Tensor | null | undefined>>;

/** What a call needs of the pass that it belongs to. */
export interface PassOfRule {
  readonly directions: number | undefined;
  tangentOf(tensor: tf.Tensor): Tangent | undefined;
  /** The tangents of `f`'s results, found by a pass of its own through `f` that starts at `seeds`. */
  through(f: () => readonly tf.Tensor[], seeds: readonly Seed[], directions: number | undefined): (tf.Tensor | null)[];
}

/** A tensor that a pass starts at, and its tangent. */
export type Seed = readonly [tensor: tf.Tensor, tangent: Tangent];

/**
 * A kernel that ran, and the tangents of its inputs.
 *
 * While K directions are carried at once, every dense tangent has a leading axis K; `lead` is 1 then, otherwise 0.
 */
export class JvpCall {
  readonly kernel: string;
  /** By name, or by index (`'0'`, `'1'`, …) for kernels that take a list. */
  readonly inputs: KernelTensors;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly outputs: readonly tf.Tensor[];
  /** How many directions are carried at once; undefined for a single one without an axis of its own. */
  readonly directions: number | undefined;
  readonly #run: PassOfRule;

  constructor(
    kernel: string,
    inputs: KernelTensors,
    attrs: Readonly<Record<string, unknown>> | undefined,
    outputs: readonly tf.Tensor[],
    run: PassOfRule,
  ) {
    this.kernel = kernel;
    this.inputs = inputs;
    this.attrs = attrs ?? {};
    this.outputs = outputs;
    this.directions = run.directions;
    this.#run = run;
  }

  /** The number of leading axes that tangents have more than their primals: 0 or 1. */
  get lead(): 0 | 1 {
    return this.directions === undefined ? 0 : 1;
  }

  /** The first output. */
  get y(): tf.Tensor {
    return this.outputs[0]!;
  }

  /** An input that must be there. */
  input(name: string): tf.Tensor {
    const tensor = this.inputs[name];
    if (tensor == null) throw new TypeError(`Kernel '${this.kernel}' ran without its input '${name}'.`);
    return tensor;
  }

  /** The tangent of an input as it is stored; undefined for zero. */
  raw(name: string): Tangent | undefined {
    const tensor = this.inputs[name];
    return tensor == null ? undefined : this.#run.tangentOf(tensor);
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  /** The dense tangent of an input, [K, ...shape] or its shape; undefined for zero. */
  d(name: string): tf.Tensor | undefined {
    const tangent = this.raw(name);
    return tangent === undefined || tangent instanceof tf.Tensor ? tangent : tangent.materialize();
  }

  /** `d(name)`, dense zeros where it is zero. */
  dOrZeros(name: string): tf.Tensor {
    return this.d(name) ?? tf.zeros(this.withLead(this.input(name).shape), this.input(name).dtype);
  }

  /**
   * `d(name)` with axes of 1 inserted, so that it broadcasts against the output: [K, 1, …, ...shape].
   *
   * Without an axis of directions it is `d(name)`: broadcasting aligns shapes at their ends.
   */
  aligned(name: string): tf.Tensor | undefined {
    const tangent = this.d(name);
    if (tangent === undefined || this.lead === 0) return tangent;
    const missing = this.y.rank - this.input(name).rank;
    if (missing <= 0) return tangent;
    const [directions, ...shape] = tangent.shape as [number, ...number[]];
    return tf.reshape(tangent, [directions, ...new Array<number>(missing).fill(1), ...shape]);
  }

  /** The shape of a tangent of something of this shape. */
  withLead(shape: readonly number[]): number[] {
    return this.directions === undefined ? [...shape] : [this.directions, ...shape];
  }

  /** Axes of a primal as non-negative axes of its tangent; null or undefined means all. */
  axes(axis: number | readonly number[] | null | undefined, shape: readonly number[]): number[] {
    const all = axis == null ? shape.map((_, i) => i) : (axis as number | number[]);
    return tf.util.parseAxisParam(all, [...shape]).map((a) => a + this.lead);
  }

  /** The same call with the k-th direction alone. */
  direction(k: number): JvpCall {
    const tangentOf = (tensor: tf.Tensor): Tangent | undefined => {
      const tangent = this.#run.tangentOf(tensor);
      if (tangent === undefined) return undefined;
      const dense = tangent instanceof tf.Tensor ? tangent : tangent.materialize();
      return tf.reshape(tf.slice(dense, k, 1), tensor.shape);
    };
    const run: PassOfRule = { directions: undefined, tangentOf, through: this.#run.through };
    return new JvpCall(this.kernel, this.inputs, this.attrs, this.outputs, run);
  }

  /**
   * The tangents of what `f` computes from the inputs, kernel by kernel: a rule for kernels that equal a composition.
   *
   * @param f Recomputes the outputs (or the first of them) from the inputs of this call with tf ops.
   */
  through(f: () => tf.Tensor | readonly tf.Tensor[]): (tf.Tensor | null)[] {
    const seeds = Object.keys(this.inputs)
      .filter((name) => this.has(name))
      .map((name): Seed => [this.input(name), this.raw(name)!]);
    const list = (): readonly tf.Tensor[] => {
      const result = f();
      return result instanceof tf.Tensor ? [result] : result;
    };
    return this.#run.through(list, seeds, this.directions);
  }

  /** Runs this kernel (or another) on other inputs or attributes. */
  run(
    inputs: KernelTensors | readonly tf.Tensor[],
    attrs: Readonly<Record<string, unknown>> = this.attrs,
    kernel: string = this.kernel,
  ): tf.Tensor {
    return this.runAll(inputs, attrs, kernel) as tf.Tensor;
  }

  /** As `run`, for kernels with several outputs. */
  runAll(
    inputs: KernelTensors | readonly tf.Tensor[],
    attrs: Readonly<Record<string, unknown>> = this.attrs,
    kernel: string = this.kernel,
  ): tf.Tensor | tf.Tensor[] {
    return tf.engine().runKernel(kernel, inputs as never, attrs as never);
  }
}

/** Applies a rule; one that does not know the axis of directions (`many` false) is called once for each. */
export function applyRule(rule: JvpRule, many: boolean, call: JvpCall): (Tangent | undefined)[] {
  const result = call.directions === undefined || many ? rule(call) : loop(rule, call, call.directions);
  const list: readonly (Tangent | null)[] = Array.isArray(result) ? result : [result as Tangent | null];
  return call.outputs.map((output, i) => {
    const tangent = list[i];
    if (tangent == null || !isDifferentiable(output.dtype)) return undefined;
    return tangent instanceof tf.Tensor ? fit(tangent, call.withLead(output.shape)) : tangent;
  });
}

function fit(tangent: tf.Tensor, shape: number[]): tf.Tensor {
  if (tf.util.arraysEqual(tangent.shape, shape)) return tangent;
  if (tangent.size === tf.util.sizeFromShape(shape)) return tf.reshape(tangent, shape);
  return tf.broadcastTo(tangent, shape);
}

function loop(rule: JvpRule, call: JvpCall, directions: number): (tf.Tensor | null)[] {
  const rows = Array.from({ length: directions }, (_, k) => applyRule(rule, true, call.direction(k)));
  return call.outputs.map((output, i) => {
    if (rows.every((row) => row[i] === undefined)) return null;
    return tf.stack(rows.map((row) => (row[i] as tf.Tensor | undefined) ?? tf.zeros(output.shape)));
  });
}
