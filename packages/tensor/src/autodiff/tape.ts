import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import { tidy } from './inputs.ts';
import { isDifferentiable } from './tangent.ts';

/** A kernel that tfjs recorded, with its gradient function. Inputs and outputs may be disposed: only ids and shapes count. */
interface TapeNode {
  readonly kernelName: string;
  readonly inputs: Record<string, tf.Tensor>;
  readonly outputs: readonly tf.Tensor[];
  readonly saved: readonly tf.Tensor[];
  readonly gradient?: (dys: (tf.Tensor | undefined)[]) => Record<string, () => tf.Tensor>;
}

interface EngineTape {
  state: { activeTape: TapeNode[] | null; gradientDepth: number };
  startTape(): void;
  endTape(): void;
  nextTensorId(): number;
}

function engineTape(): EngineTape {
  return tf.engine() as unknown as EngineTape;
}

/** A number between the ids of the tensors that exist and of those to come: tells what was made since. */
export function tensorClock(): number {
  return engineTape().nextTensorId();
}

/** Whether a gradient is being recorded by somebody: `valueAndGrad`, `vjp`, `tf.grad`, `minimize`, … */
export function isTapeOpen(): boolean {
  return engineTape().state.gradientDepth > 0;
}

/** What a function did between its inputs and outputs, for going back. `dispose` frees what the kernels saved. */
export interface Tape {
  readonly nodes: readonly TapeNode[];
  /** Whether the saved tensors are ours to free: not within somebody else's tape, who needs them again. */
  readonly owned: boolean;
  dispose(): void;
}

function freeSaved(node: TapeNode): void {
  for (const tensor of node.saved) tensor.dispose();
}

/** Runs `f` in a tidy and records it. Unlike tfjs, nothing is left behind if it throws. */
export function record<T>(f: () => T): { result: T; tape: Tape } {
  const engine = engineTape();
  engine.startTape();
  const start = engine.state.activeTape!.length;
  const close = (): Tape => {
    engine.endTape();
    const nodes = engine.state.activeTape!.slice(start);
    if (engine.state.gradientDepth > 0) return { nodes, owned: false, dispose: () => undefined };
    engine.state.activeTape = null;
    return { nodes, owned: true, dispose: () => nodes.forEach(freeSaved) };
  };
  try {
    const result = tidy(f);
    return { result, tape: close() };
  } catch (error) {
    close().dispose();
    throw error;
  }
}

/** The nodes on a path from `xs` to `ys`, last first, with the inputs that depend on `xs`. */
function path(nodes: readonly TapeNode[], xs: readonly tf.Tensor[], ys: readonly tf.Tensor[]): [TapeNode, string[]][] {
  const fromX = new Set(xs.map((x) => x.id));
  const forward: [TapeNode, string[]][] = [];
  for (const node of nodes) {
    const names = Object.keys(node.inputs).filter((name) => {
      const input = node.inputs[name];
      return input != null && fromX.has(input.id);
    });
    // What is no real or complex number has no derivative: comparisons and indices end the path here, where tfjs throws.
    const outputs = node.outputs.filter((output) => isDifferentiable(output.dtype));
    if (names.length === 0 || outputs.length === 0) continue;
    forward.push([node, names]);
    for (const output of outputs) fromX.add(output.id);
  }
  const toY = new Set(ys.map((y) => y.id));
  const found: [TapeNode, string[]][] = [];
  for (const [node, names] of forward.reverse()) {
    if (!node.outputs.some((output) => toY.has(output.id))) continue;
    found.push([node, names]);
    for (const name of names) toY.add(node.inputs[name]!.id);
  }
  return found;
}

function checkGradient(node: TapeNode, name: string, dx: tf.Tensor): void {
  const x = node.inputs[name]!;
  if (dx.dtype === x.dtype && tf.util.arraysEqual(dx.shape, x.shape)) return;
  throw new FrugalError(
    'BAD_GRADIENT',
    `The gradient of kernel '${node.kernelName}' gave ${dx.dtype} [${dx.shape}] for its input '${name}' of shape ` +
      `[${x.shape}]. Register a right one with tf.registerGradient.`,
  );
}

/** Gradients with respect to the inputs `names` of a node, new tensors. */
function nodeGradients(node: TapeNode, names: readonly string[], dys: (tf.Tensor | undefined)[]): tf.Tensor[] {
  if (node.gradient === undefined) {
    throw new FrugalError(
      'NO_GRADIENT',
      `Kernel '${node.kernelName}' has no gradient. Register one with tf.registerGradient, or use jvp.`,
    );
  }
  const start = tensorClock();
  const gradients = node.gradient(dys);
  const taken = new Set<tf.Tensor>();
  return names.map((name) => {
    const gradient = gradients[name];
    if (gradient === undefined) {
      throw new FrugalError('NO_GRADIENT', `The gradient of kernel '${node.kernelName}' ignores its input '${name}'.`);
    }
    const dx = tf.tidy(gradient);
    checkGradient(node, name, dx);
    // A gradient may hand on what it was given, or a tensor of somebody else: then it is not ours to free.
    const ours = dx.id > start && !dx.kept && !taken.has(dx);
    taken.add(dx);
    return ours ? dx : tf.clone(dx);
  });
}

/**
 * Goes back over a tape: Σ over `ys` of cotangentᵀ · ∂y/∂x, for each x; zero where no y depends on x.
 *
 * Intermediate gradients are freed as soon as they are used, and with `once` what the kernels saved too.
 * Call it in a tidy; the results are new tensors.
 */
export function backward(
  tape: Tape,
  xs: readonly tf.Tensor[],
  ys: readonly tf.Tensor[],
  cotangents: readonly tf.Tensor[],
  once: boolean,
): tf.Tensor[] {
  const gradients = new Map<number, tf.Tensor>();
  const add = (id: number, gradient: tf.Tensor): void => {
    const sum = gradients.get(id);
    gradients.set(id, sum === undefined ? gradient : tf.add(sum, gradient));
    if (sum !== undefined) tf.dispose([sum, gradient]);
  };
  for (const [i, y] of ys.entries()) add(y.id, tf.clone(cotangents[i]!));
  const wanted = new Set(xs.map((x) => x.id));
  for (const [node, names] of path(tape.nodes, xs, ys)) {
    const dys = node.outputs.map((output) => gradients.get(output.id));
    if (dys.every((dy) => dy === undefined)) continue;
    const dxs = tf.tidy(() => nodeGradients(node, names, dys));
    if (once && tape.owned) freeSaved(node);
    for (const [i, name] of names.entries()) add(node.inputs[name]!.id, dxs[i]!);
    for (const output of node.outputs) {
      if (wanted.has(output.id)) continue;
      gradients.get(output.id)?.dispose();
      gradients.delete(output.id);
    }
  }
  const taken = new Set<tf.Tensor>();
  return xs.map((x) => {
    const gradient = gradients.get(x.id) ?? tf.zeros(x.shape);
    if (taken.has(gradient)) return tf.clone(gradient); // a variable that stands at two places
    taken.add(gradient);
    return gradient;
  });
}
