import * as tf from '@tensorflow/tfjs-core';
import { checkFinite, checkFloats, KernelArgumentError } from './check.ts';
import { KernelName } from './names.ts';
import { donating, hasKernel, runKernel } from './run.ts';

/** What every optimizer step takes. */
export interface SgdStepOptions {
  readonly learningRate: number;
  /** Factor on the gradients (clipping, loss scaling, averaging). Default 1. */
  readonly gradScale?: number;
  /** Weight decay of each parameter; 0 where missing. */
  readonly decays?: readonly number[];
}

/** Options of `momentumStep`. */
export interface MomentumStepOptions extends SgdStepOptions {
  readonly beta: number;
  /** Default false. */
  readonly nesterov?: boolean;
}

/** Options of `adamStep`. */
export interface AdamStepOptions extends SgdStepOptions {
  readonly beta1: number;
  readonly beta2: number;
  /** Added to the root of the second moment. */
  readonly epsilon: number;
  /** The number of this step, from 1 on: corrects the moments' bias. */
  readonly step: number;
}

/** Options of `lionStep`. */
export interface LionStepOptions extends SgdStepOptions {
  readonly beta1: number;
  readonly beta2: number;
}

/** Parameters and their gradients, in the same order. The parameters are donated. */
export interface SgdStepTensors {
  readonly params: readonly tf.Tensor[];
  readonly grads: readonly tf.Tensor[];
}

/** With a first moment for each parameter, donated. */
export interface MomentumStepTensors extends SgdStepTensors {
  readonly m: readonly tf.Tensor[];
}

/** With both moments for each parameter, donated. */
export interface AdamStepTensors extends MomentumStepTensors {
  readonly v: readonly tf.Tensor[];
}

type Lists = Readonly<Record<string, readonly tf.Tensor[]>>;

function check(kernel: string, lists: Lists, { decays, ...options }: SgdStepOptions): void {
  const numbers = Object.entries(options).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  checkFinite(kernel, Object.fromEntries(numbers));
  const params = lists.params!;
  for (const [name, list] of Object.entries(lists)) {
    if (list.length !== params.length) {
      throw new KernelArgumentError(
        kernel,
        name,
        `must be as many as the ${params.length} parameters, got ${list.length}.`,
      );
    }
    for (const [i, tensor] of list.entries()) checkFloats(kernel, `${name}[${i}]`, tensor, params[i]!.shape);
  }
  if (decays === undefined) return;
  if (decays.length !== params.length) {
    throw new KernelArgumentError(
      kernel,
      'decays',
      `must be as many as the ${params.length} parameters, got ${decays.length}.`,
    );
  }
  checkFinite(kernel, Object.fromEntries(decays.map((decay, i) => [`decays[${i}]`, decay])));
}

/**
 * Runs a step kernel over whole lists, or `one` per parameter; returns [params, ...slots] as lists.
 *
 * `one` gets a parameter, its scaled gradient, its decay and its slots.
 */
function step(
  name: KernelName,
  lists: Lists,
  options: SgdStepOptions,
  one: (p: tf.Tensor, g: tf.Tensor, decay: number, slots: tf.Tensor[]) => tf.Tensor[],
): tf.Tensor[][] {
  check(name, lists, options);
  const { params, grads, ...slots } = lists as { params: readonly tf.Tensor[]; grads: readonly tf.Tensor[] };
  const slotLists = Object.values(slots) as readonly tf.Tensor[][];
  const count = params.length;
  const { gradScale = 1, decays = params.map(() => 0) } = options;
  const donated = [...params, ...slotLists.flat()];
  const columns = Array.from({ length: 1 + slotLists.length }, (_, column) => column);
  if (count > 0 && hasKernel(name)) {
    const inputs = [...params, ...grads, ...slotLists.flat()];
    const attrs = { ...options, count, gradScale, decays: [...decays] };
    const outputs = donating(name, donated, grads, () => runKernel(name, inputs, attrs));
    return columns.map((column) => outputs.slice(column * count, (column + 1) * count));
  }
  const slotsOf = (i: number): tf.Tensor[] => slotLists.map((slot) => slot[i]!);
  const rows = donating(name, donated, grads, () =>
    params.map((p, i) => tf.tidy(() => one(p, scaled(grads[i]!, gradScale), decays[i]!, slotsOf(i)))),
  );
  return columns.map((column) => rows.map((row) => row[column]!));
}

const scaled = (x: tf.Tensor, factor: number): tf.Tensor => (factor === 1 ? x : tf.mul(x, factor));

/** a·x + b·y. */
const blend = (a: number, x: tf.Tensor, b: number, y: tf.Tensor): tf.Tensor => tf.add(tf.mul(x, a), tf.mul(y, b));

/** x + decay·p. */
const decayed = (x: tf.Tensor, decay: number, p: tf.Tensor): tf.Tensor =>
  decay === 0 ? x : tf.add(x, tf.mul(p, decay));

/**
 * A step of stochastic gradient descent over a whole tree: p ← p − lr·(g + decay·p), g the gradient times `gradScale`.
 *
 * @param tensors `params` are donated: disposed here, reused where nobody else holds them. `grads` stay the caller's.
 * @returns The new parameters.
 * @throws {KernelArgumentError} If lengths, shapes or types differ, or a number is not finite; nothing is donated then.
 */
export function sgdStep({ params, grads }: SgdStepTensors, options: SgdStepOptions): { params: tf.Tensor[] } {
  const [newParams] = step(KernelName.SgdStep, { params, grads }, options, (p, g, decay) => [
    tf.sub(p, tf.mul(decayed(g, decay, p), options.learningRate)),
  ]);
  return { params: newParams! };
}

/**
 * A step with heavy-ball or Nesterov momentum: d = g + decay·p; m ← β·m + d; p ← p − lr·m, or − lr·(d + β·m).
 *
 * @param tensors `params` and `m` are donated: disposed here, reused where nobody else holds them.
 * @returns The new parameters and moments.
 * @throws {KernelArgumentError} As `sgdStep`.
 */
export function momentumStep(
  { params, grads, m }: MomentumStepTensors,
  options: MomentumStepOptions,
): { params: tf.Tensor[]; m: tf.Tensor[] } {
  const { learningRate, beta, nesterov = false } = options;
  const all = { ...options, nesterov };
  const lists = step(KernelName.MomentumStep, { params, grads, m }, all, (p, g, decay, [old]) => {
    const d = decayed(g, decay, p);
    const next = tf.add(tf.mul(old!, beta), d);
    const direction = nesterov ? tf.add(d, tf.mul(next, beta)) : next;
    return [tf.sub(p, tf.mul(direction, learningRate)), next];
  });
  return { params: lists[0]!, m: lists[1]! };
}

/**
 * A step of Adam or AdamW (arXiv 1412.6980, 1711.05101): m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²;
 * p ← p − lr·(m̂ / (√v̂ + ε) + decay·p), with m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ) at step t.
 *
 * @param tensors `params`, `m` and `v` are donated: disposed here, reused where nobody else holds them.
 * @returns The new parameters and moments.
 * @throws {KernelArgumentError} As `sgdStep`.
 */
export function adamStep(
  { params, grads, m, v }: AdamStepTensors,
  options: AdamStepOptions,
): { params: tf.Tensor[]; m: tf.Tensor[]; v: tf.Tensor[] } {
  const { learningRate, beta1, beta2, epsilon, step: t } = options;
  if (!Number.isInteger(t) || t < 1)
    throw new KernelArgumentError(KernelName.AdamStep, 'step', `must count from 1, got ${t}.`);
  const lists = step(KernelName.AdamStep, { params, grads, m, v }, options, (p, g, decay, [oldM, oldV]) => {
    const newM = blend(beta1, oldM!, 1 - beta1, g);
    const newV = blend(beta2, oldV!, 1 - beta2, tf.square(g));
    const root = tf.add(tf.sqrt(tf.div(newV, 1 - beta2 ** t)), epsilon);
    const update = tf.div(tf.div(newM, 1 - beta1 ** t), root);
    return [tf.sub(p, tf.mul(decayed(update, decay, p), learningRate)), newM, newV];
  });
  return { params: lists[0]!, m: lists[1]!, v: lists[2]! };
}

/**
 * A step of Lion (arXiv 2302.06675): p ← p − lr·(sign(β₁m + (1−β₁)g) + decay·p); m ← β₂m + (1−β₂)g.
 *
 * @param tensors `params` and `m` are donated: disposed here, reused where nobody else holds them.
 * @returns The new parameters and moments.
 * @throws {KernelArgumentError} As `sgdStep`.
 */
export function lionStep(
  { params, grads, m }: MomentumStepTensors,
  options: LionStepOptions,
): { params: tf.Tensor[]; m: tf.Tensor[] } {
  const { learningRate, beta1, beta2 } = options;
  const lists = step(KernelName.LionStep, { params, grads, m }, options, (p, g, decay, [old]) => {
    const direction = tf.sign(blend(beta1, old!, 1 - beta1, g));
    return [tf.sub(p, tf.mul(decayed(direction, decay, p), learningRate)), blend(beta2, old!, 1 - beta2, g)];
  });
  return { params: lists[0]!, m: lists[1]! };
}
