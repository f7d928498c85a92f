import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import { interpret, type KernelAttrs } from '../interpret/index.ts';
import type { Tree } from '../seams/index.ts';
import { treeUnflatten } from '../tree/index.ts';
import { DependencyPass, giveTangents, offTape, through } from './forward-pass.ts';
import { checkSynchronous, enter, leavesOf, tidy } from './inputs.ts';
import { refuseOpenTape } from './jvp.ts';
import { applyRule, JvpCall, type KernelTensors, type PassOfRule } from './jvp-call.ts';
import type { RuleEntry } from './rules/entry.ts';
import { countDirections, pairTangents, seedsOf, type TangentTree } from './seeds.ts';
import { isDifferentiable, type Tangent, TangentMap } from './tangent.ts';
import { tensorClock } from './tape.ts';

/** A function's derivative at a point; what it needs of the function's values lives until `dispose`. */
export interface Linearized<O extends Tree> {
  /**
   * The derivative in a direction, as often as wanted; only tangent kernels run.
   *
   * @param tangents As for `jvp`.
   * @returns In the structure of the output; the caller owns it.
   * @throws {TreeMismatchError} If a tangent does not fit.
   */
  (tangents: readonly TangentTree[]): O;
  /** K directions at once, as `jvpMany`: every leaf has a leading axis K. */
  many(tangents: readonly TangentTree[]): O;
  dispose(): void;
}

/** A kernel whose rule is to be applied, on tensors that the recording holds. */
interface Step {
  readonly name: string;
  readonly inputs: KernelTensors;
  readonly attrs: KernelAttrs;
  readonly outputs: readonly tf.Tensor[];
  readonly entry: RuleEntry;
}

/** Writes down the kernels that depend on the primals, with their inputs and outputs. */
class Recording extends DependencyPass {
  readonly steps: Step[] = [];
  /** What stands for a tensor of the program from then on: a clone that outlives it. */
  readonly #held = new Map<number, tf.Tensor>();
  readonly #owned = new Set<tf.Tensor>();
  /** Ids of the held tensors that depend on the primals. */
  readonly #followed = new Set<number>();

  hold(tensor: tf.Tensor): tf.Tensor {
    const before = this.#held.get(tensor.id);
    if (before !== undefined) return before;
    const clone = tf.keep(tf.clone(tensor));
    this.#held.set(tensor.id, clone);
    this.#owned.add(clone);
    return clone;
  }

  start(primal: tf.Tensor): void {
    this.#followed.add(this.hold(primal).id);
  }

  override depends(tensor: tf.Tensor): boolean {
    const held = this.#held.get(tensor.id);
    return held !== undefined && this.#followed.has(held.id);
  }

  override follow(
    name: string,
    inputs: KernelTensors,
    attrs: KernelAttrs,
    outputs: readonly tf.Tensor[],
    entry: RuleEntry,
  ): void {
    offTape(() => {
      const names = Object.keys(inputs).filter((key) => inputs[key] != null);
      const held = Object.fromEntries(names.map((key) => [key, this.hold(inputs[key]!)]));
      const results = outputs.map((output) => this.hold(output));
      this.steps.push({ name, inputs: held, attrs, outputs: results, entry });
      for (const result of results) if (isDifferentiable(result.dtype)) this.#followed.add(result.id);
    });
  }

  cloned(original: tf.Tensor, copy: tf.Tensor): void {
    const held = this.#held.get(original.id);
    if (held !== undefined) this.#held.set(copy.id, held);
  }

  assigned(variable: tf.Variable, value: tf.Tensor): void {
    const held = this.#held.get(value.id);
    if (held === undefined) this.#held.delete(variable.id);
    else this.#held.set(variable.id, held);
  }

  dispose(): void {
    for (const tensor of this.#owned) tensor.dispose();
    this.#owned.clear();
  }
}

/** For each step the tensors whose tangents are not needed after it. */
function lastUses(steps: readonly Step[], results: readonly tf.Tensor[]): tf.Tensor[][] {
  const wanted = new Set(results);
  const seen = new Set<tf.Tensor>();
  const out: tf.Tensor[][] = steps.map(() => []);
  for (let i = steps.length - 1; i >= 0; i--) {
    for (const tensor of [...Object.values(steps[i]!.inputs), ...steps[i]!.outputs]) {
      if (tensor == null || seen.has(tensor) || wanted.has(tensor)) continue;
      seen.add(tensor);
      out[i]!.push(tensor);
    }
  }
  return out;
}

/**
 * The output of `f` and its derivative as a linear function, which runs no kernel of `f` again.
 *
 *     const [out, derivative] = linearize(f, [params]);
 *     const [a, b] = [derivative([v]), derivative([w])];
 *     derivative.dispose();
 *
 * For many directions at one point, one after the other, such as Hessian-vector products in Lanczos: linearize the
 * gradient. Holds the inputs and outputs of every kernel on the way, so memory grows with depth as in reverse mode.
 *
 * @param f As for `jvp`.
 * @param primals As for `jvp`; all float leaves are followed.
 * @returns The output and its derivative; the caller owns and disposes both.
 * @throws As `jvp`.
 */
export function linearize<P extends readonly Tree[], O extends Tree>(
  f: (...primals: P) => O,
  primals: readonly [...P],
): [out: O, derivative: Linearized<O>] {
  refuseOpenTape('linearize');
  const recording = new Recording();
  try {
    return tidy(() => {
      const start = tensorClock();
      const inputs = enter(primals as unknown as P);
      const floats = leavesOf(inputs).filter((leaf) => isDifferentiable(leaf.dtype));
      for (const leaf of floats) recording.start(leaf);
      const seeds = leavesOf(inputs).map((leaf) => recording.hold(leaf));
      const out = interpret(recording, () => {
        const returned = f(...inputs);
        checkSynchronous('linearize', returned);
        return returned;
      });
      const leaves = leavesOf(out);
      const results = leaves.map((leaf) => recording.hold(leaf));
      const own = leaves.map((leaf) => (leaf.id < start || leaf.kept ? tf.clone(leaf) : leaf));
      return [treeUnflatten(out, own), derivativeOf(recording, primals, seeds, out, results)];
    });
  } catch (error) {
    recording.dispose();
    throw error;
  }
}

function derivativeOf<O extends Tree>(
  recording: Recording,
  primals: Tree,
  seeds: readonly tf.Tensor[],
  out: O,
  results: readonly tf.Tensor[],
): Linearized<O> {
  const { steps } = recording;
  const done = lastUses(steps, results);
  let open = true;
  const apply = (paired: readonly (Tangent | undefined)[], directions: number | undefined): O => {
    if (!open) throw new FrugalError('DISPOSED', 'The derivative was disposed. Call linearize again.');
    const tangents = new TangentMap();
    const run: PassOfRule = { directions, tangentOf: (tensor) => tangents.get(tensor), through };
    return tidy(() => {
      try {
        for (const [seed, tangent] of seedsOf(seeds, paired)) tangents.lend(seed, tangent);
        for (const [i, step] of steps.entries()) {
          if (Object.values(step.inputs).some((tensor) => tensor != null && tangents.has(tensor))) {
            const call = new JvpCall(step.name, step.inputs, step.attrs, step.outputs, run);
            giveTangents(tangents, step.outputs, () => applyRule(step.entry.rule, step.entry.many, call));
          }
          for (const tensor of done[i]!) tangents.delete(tensor);
        }
        return treeUnflatten(out, tangents.takeAll(results, directions));
      } finally {
        tangents.dispose();
      }
    });
  };
  const derivative = (tangents: readonly TangentTree[]): O => apply(pairTangents(primals, tangents, false), undefined);
  const many = (tangents: readonly TangentTree[]): O => {
    const paired = pairTangents(primals, tangents, true);
    return apply(paired, countDirections('linearize', paired));
  };
  const dispose = (): void => {
    open = false;
    recording.dispose();
  };
  return Object.assign(derivative, { many, dispose });
}
