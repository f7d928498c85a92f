import * as tf from '@tensorflow/tfjs-core';
import {
  interpret,
  type KernelAttrs,
  type KernelHandler,
  type KernelInputs,
  type NextKernel,
} from '../interpret/index.ts';
import { tidy } from './inputs.ts';
import { applyRule, JvpCall, type KernelTensors, type PassOfRule, type Seed } from './jvp-call.ts';
import { matMulWithTangent } from './matmul-with-tangent.ts';
import type { RuleEntry } from './rules/entry.ts';
import { findRule, NoJvpRuleError } from './rules/table.ts';
import { isDifferentiable, type Tangent, TangentMap } from './tangent.ts';
import { isTapeOpen, tensorClock } from './tape.ts';

/** Runs `f` with the tape off: tangents are no part of the program that is being recorded. */
export function offTape<T>(f: () => T): T {
  const { state } = tf.engine() as unknown as { state: { kernelDepth: number } };
  state.kernelDepth++;
  try {
    return f();
  } finally {
    state.kernelDepth--;
  }
}

/** Follows how a program depends on some tensors, kernel by kernel. */
export abstract class DependencyPass implements KernelHandler {
  /** Kernels are somebody else's business while a custom rule stands for them. */
  paused = false;

  /** Whether it follows this tensor. */
  abstract depends(tensor: tf.Tensor): boolean;

  /** A kernel (or a function with a rule of its own) ran on inputs of which some are followed. */
  abstract follow(
    name: string,
    inputs: KernelTensors,
    attrs: KernelAttrs,
    outputs: readonly tf.Tensor[],
    entry: RuleEntry,
  ): void;

  kernel(name: string, inputs: KernelInputs, attrs: KernelAttrs, next: NextKernel): tf.Tensor | tf.Tensor[] {
    const follows = !this.paused && Object.values(inputs).some((input) => input != null && this.depends(input));
    const fused = follows ? this.instead(name, inputs, attrs) : undefined;
    if (fused !== undefined) return fused;
    const out = next(name, inputs, attrs);
    if (!follows) return out;
    const outputs = Array.isArray(out) ? out : [out];
    if (!outputs.some((output) => isDifferentiable(output.dtype))) return out;
    const entry = findRule(name);
    if (entry === undefined) throw new NoJvpRuleError(name);
    if (entry.kind !== 'zero') this.follow(name, inputs as KernelTensors, attrs, outputs, entry);
    return out;
  }

  /** What to run in place of a kernel that is followed; undefined for the kernel itself. */
  protected instead(_name: string, _inputs: KernelInputs, _attrs: KernelAttrs): tf.Tensor | undefined {
    return undefined;
  }
}

/** Carries tangents along with the kernels of a program: forward mode. */
export class ForwardPass extends DependencyPass implements PassOfRule {
  readonly directions: number | undefined;
  readonly tangents: TangentMap = new TangentMap();
  readonly through: typeof through = through;

  constructor(directions: number | undefined) {
    super();
    this.directions = directions;
  }

  override depends(tensor: tf.Tensor): boolean {
    return this.tangents.has(tensor);
  }

  override follow(
    name: string,
    inputs: KernelTensors,
    attrs: KernelAttrs,
    outputs: readonly tf.Tensor[],
    entry: RuleEntry,
  ): void {
    const call = new JvpCall(name, inputs, attrs, outputs, this);
    offTape(() => giveTangents(this.tangents, outputs, () => applyRule(entry.rule, entry.many, call)));
  }

  cloned(original: tf.Tensor, copy: tf.Tensor): void {
    this.tangents.share(original, copy);
  }

  disposed(tensor: tf.Tensor): void {
    this.tangents.delete(tensor);
  }

  assigned(variable: tf.Variable, value: tf.Tensor): void {
    this.tangents.share(value, variable);
  }

  tangentOf(tensor: tf.Tensor): Tangent | undefined {
    return this.tangents.get(tensor);
  }

  /** Output and tangent at once, where a kernel of ours can and no tape wants to know the stock one. */
  protected override instead(name: string, inputs: KernelInputs, attrs: KernelAttrs): tf.Tensor | undefined {
    if (this.directions !== undefined || isTapeOpen()) return undefined;
    const pair = matMulWithTangent(name, inputs, attrs, (tensor) => this.tangents.get(tensor));
    if (pair !== undefined) this.tangents.set(...pair);
    return pair?.[0];
  }
}

/** Gives each tensor the tangent that `compute` finds; whatever else that makes is freed. */
export function giveTangents(
  tangents: TangentMap,
  tensors: readonly tf.Tensor[],
  compute: () => readonly (Tangent | null | undefined)[],
): void {
  tf.tidy(() => {
    const start = tensorClock();
    for (const [i, tangent] of compute().entries()) {
      if (tangent == null) continue;
      // A rule may return a tensor of the program, such as an output: its owner will free that one.
      const foreign = tangent instanceof tf.Tensor && tangent.id < start && !tangents.isHeld(tangent);
      tangents.set(tensors[i]!, foreign ? tf.clone(tangent) : tangent);
    }
  });
}

/** The tangents of what `f` computes from `seeds`, by a pass of its own. */
export function through(
  f: () => readonly tf.Tensor[],
  seeds: readonly Seed[],
  directions: number | undefined,
): (tf.Tensor | null)[] {
  const inner = new ForwardPass(directions);
  for (const [tensor, tangent] of seeds) inner.tangents.lend(tensor, tangent);
  try {
    return tidy(() => interpret(inner, f).map((result) => inner.tangents.take(result) ?? null));
  } finally {
    inner.tangents.dispose();
  }
}
