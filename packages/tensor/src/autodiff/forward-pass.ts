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
import { findRule, NoJvpRuleError } from './rules/table.ts';
import { isDifferentiable, type Tangent, TangentMap } from './tangent.ts';
import { isTapeOpen, tensorClock } from './tape.ts';

interface KernelDepth {
  state: { kernelDepth: number };
}

/** Runs `f` with the tape off: tangents are no part of the program that is being recorded. */
function offTape<T>(f: () => T): T {
  const { state } = tf.engine() as unknown as KernelDepth;
  state.kernelDepth++;
  try {
    return f();
  } finally {
    state.kernelDepth--;
  }
}

/** Carries tangents along with the kernels of a program: forward mode. */
export class ForwardPass implements KernelHandler, PassOfRule {
  readonly directions: number | undefined;
  readonly tangents: TangentMap = new TangentMap();
  /** Kernels are somebody else's business while a custom rule stands for them. */
  paused = false;

  constructor(directions: number | undefined) {
    this.directions = directions;
  }

  kernel(name: string, inputs: KernelInputs, attrs: KernelAttrs, next: NextKernel): tf.Tensor | tf.Tensor[] {
    const follow = !this.paused && this.#depends(inputs);
    const fused = follow ? this.#fused(name, inputs, attrs) : undefined;
    if (fused !== undefined) return fused;
    const out = next(name, inputs, attrs);
    if (!follow) return out;
    const outputs = Array.isArray(out) ? out : [out];
    if (!outputs.some((output) => isDifferentiable(output.dtype))) return out;
    const entry = findRule(name);
    if (entry === undefined) throw new NoJvpRuleError(name);
    if (entry.kind === 'zero') return out;
    const call = new JvpCall(name, inputs as KernelTensors, attrs, outputs, this);
    offTape(() => this.give(outputs, () => applyRule(entry.rule, entry.many, call)));
    return out;
  }

  cloned(original: tf.Tensor, copy: tf.Tensor): void {
    if (!this.paused) this.tangents.share(original, copy);
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

  /** Gives each tensor the tangent that `compute` finds; whatever else that makes is freed. */
  give(tensors: readonly tf.Tensor[], compute: () => readonly (Tangent | null | undefined)[]): void {
    tf.tidy(() => {
      const start = tensorClock();
      for (const [i, tangent] of compute().entries()) {
        if (tangent == null) continue;
        // A rule may return a tensor of the program, such as an output: its owner will free that one.
        const foreign = tangent instanceof tf.Tensor && tangent.id < start && !this.tangents.isHeld(tangent);
        this.tangents.set(tensors[i]!, foreign ? tf.clone(tangent) : tangent);
      }
    });
  }

  through(f: () => readonly tf.Tensor[], seeds: readonly Seed[], directions: number | undefined): (tf.Tensor | null)[] {
    const inner = new ForwardPass(directions);
    for (const [tensor, tangent] of seeds) inner.tangents.lend(tensor, tangent);
    try {
      return tidy(() => interpret(inner, f).map((result) => inner.tangents.take(result) ?? null));
    } finally {
      inner.tangents.dispose();
    }
  }

  /** Both at once, where a kernel of ours can and no tape wants to know the primal one. */
  #fused(name: string, inputs: KernelInputs, attrs: KernelAttrs): tf.Tensor | undefined {
    if (this.directions !== undefined || isTapeOpen()) return undefined;
    const pair = matMulWithTangent(name, inputs, attrs, (tensor) => this.tangents.get(tensor));
    if (pair !== undefined) this.tangents.set(...pair);
    return pair?.[0];
  }

  #depends(inputs: KernelInputs): boolean {
    if (this.tangents.size === 0) return false;
    for (const tensor of Object.values(inputs)) {
      if (tensor != null && this.tangents.has(tensor)) return true;
    }
    return false;
  }
}
