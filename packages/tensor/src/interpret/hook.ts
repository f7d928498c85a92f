import * as tf from '@tensorflow/tfjs-core';
import type { KernelAttrs, KernelHandler, KernelInputs, NextKernel } from './handler.ts';
import { currentScope, type Scope } from './scope.ts';

/** The parts of tfjs's engine that are hooked; `runKernel` is called for every kernel, also by the backward pass. */
interface EngineHooks {
  runKernel: NextKernel;
  trackTensor(tensor: tf.Tensor, backend: unknown): void;
  disposeTensor(tensor: tf.Tensor): void;
}

/** Handlers of all open interpreters, in every scope: a tensor's life concerns them all. */
const open: KernelHandler[] = [];
/** Those of them that want to hear of it; kept apart, as it happens for every tensor. */
let creating: readonly KernelHandler[] = [];
let disposing: readonly KernelHandler[] = [];
/** Whether any of them wants to hear of the engine's clones. */
let cloning = false;

function dispatcher(engine: EngineHooks, base: NextKernel): NextKernel {
  /** The kernel itself, below all handlers. */
  const execute = (scope: Scope, name: string, inputs: KernelInputs, attrs: KernelAttrs): ReturnType<NextKernel> => {
    scope.copies = null;
    scope.busy = true;
    try {
      return base.call(engine, name, inputs, attrs);
    } finally {
      scope.busy = false;
    }
  };
  /** A handler, and what it asks for. */
  const handle = (scope: Scope, name: string, inputs: KernelInputs, attrs: KernelAttrs): ReturnType<NextKernel> => {
    const level = scope.top;
    const handler = scope.handlers[level - 1]!;
    const { collected } = scope;
    scope.top = level - 1;
    scope.collected = null;
    try {
      const out = handler.kernel(name, inputs, attrs, next);
      const copies = scope.collected;
      if (copies !== null) tellCopies(handler, copies);
      scope.copies = copies;
      return out;
    } finally {
      scope.top = level;
      scope.collected = collected;
    }
  };
  // One function for all kernels: a closure for each would cost more than the rest of the dispatch.
  const next: NextKernel = (name, inputs, attrs) => {
    const scope = currentScope();
    if (scope === undefined || scope.busy) return dispatch(name, inputs, attrs);
    const out = scope.top === 0 ? execute(scope, name, inputs, attrs) : handle(scope, name, inputs, attrs);
    if (scope.copies !== null) {
      scope.collected = scope.collected === null ? scope.copies : [...scope.collected, ...scope.copies];
    }
    return out;
  };
  const dispatch: NextKernel = (name, inputs, attrs) => {
    const scope = currentScope();
    if (scope === undefined) return base.call(engine, name, inputs, attrs);
    if (!scope.busy) {
      return scope.top === 0 ? execute(scope, name, inputs, attrs) : handle(scope, name, inputs, attrs);
    }
    const out = base.call(engine, name, inputs, attrs);
    // The engine clones what a gradient needs while the kernel still counts as running.
    if (cloning && name === 'Identity') {
      scope.copies ??= [];
      scope.copies.push((inputs as { x: tf.Tensor }).x, out as tf.Tensor);
    }
    return out;
  };
  return dispatch;
}

function tellCopies(handler: KernelHandler, copies: readonly tf.Tensor[]): void {
  if (handler.cloned === undefined) return;
  for (let i = 0; i < copies.length; i += 2) {
    const copy = copies[i + 1]!;
    if (!copy.isDisposed) handler.cloned(copies[i]!, copy);
  }
}

/** A method that is replaced while somebody listens. */
interface Override {
  readonly target: Record<string, unknown>;
  readonly name: string;
  readonly base: unknown;
  readonly replacement: unknown;
  /** Replaced only while a handler has this; always where left out. */
  readonly for?: keyof KernelHandler;
}

type AnyTarget = Override['target'];

function tellReads(name: 'data' | 'dataSync'): Override {
  const base = tf.Tensor.prototype[name] as (this: tf.Tensor) => unknown;
  return {
    target: tf.Tensor.prototype as unknown as AnyTarget,
    name,
    base,
    replacement(this: tf.Tensor): unknown {
      for (const handler of open) handler.read?.(this);
      return base.call(this);
    },
    for: 'read',
  };
}

/** Replacements for the methods as they stand now. */
function makeOverrides(): Override[] {
  const engine = tf.engine() as unknown as EngineHooks;
  const { runKernel, trackTensor, disposeTensor } = engine;
  const { assign } = tf.Variable.prototype;
  const target = engine as unknown as AnyTarget;
  return [
    { target, name: 'runKernel', base: runKernel, replacement: dispatcher(engine, runKernel) },
    {
      target,
      name: 'trackTensor',
      base: trackTensor,
      replacement(tensor: tf.Tensor, backend: unknown): void {
        trackTensor.call(engine, tensor, backend);
        for (let i = 0; i < creating.length; i++) creating[i]!.created!(tensor);
      },
      for: 'created',
    },
    {
      target,
      name: 'disposeTensor',
      base: disposeTensor,
      replacement(tensor: tf.Tensor): void {
        disposeTensor.call(engine, tensor);
        for (let i = 0; i < disposing.length; i++) disposing[i]!.disposed!(tensor);
      },
      for: 'disposed',
    },
    {
      target: tf.Variable.prototype as unknown as AnyTarget,
      name: 'assign',
      base: assign,
      replacement(this: tf.Variable, value: tf.Tensor): void {
        assign.call(this, value);
        for (const handler of open) handler.assigned?.(this, value);
      },
      for: 'assigned',
    },
    tellReads('data'),
    tellReads('dataSync'),
  ];
}

let overrides: readonly Override[] = [];

/** Made once, as a meter comes and goes with every step; again if somebody else replaced a method meanwhile. */
function prepare(): void {
  const engine: unknown = tf.engine();
  const current = overrides[0]?.target === engine && overrides.every(({ target, name, base }) => target[name] === base);
  if (!current) overrides = makeOverrides();
}

/**
 * Puts in place what the open handlers need, and the rest back.
 *
 * By value: deleting the engine's own properties would make it a slow object for good, and change its hidden class twice
 * for every step that is metered.
 */
function update(): void {
  creating = listening('created');
  disposing = listening('disposed');
  cloning = listening('cloned').length > 0;
  for (const { target, name, base, replacement, for: part } of overrides) {
    const wanted = (part === undefined ? open : listening(part)).length > 0;
    const method = wanted ? replacement : base;
    if (target[name] !== method) target[name] = method;
  }
}

const NOBODY: readonly KernelHandler[] = [];

/** The open handlers that have a part. Called for every step that is metered, so nothing is made where one is open. */
function listening(part: keyof KernelHandler): readonly KernelHandler[] {
  if (open.length === 0) return NOBODY;
  if (open.length === 1) return open[0]![part] === undefined ? NOBODY : open;
  return open.filter((handler) => handler[part] !== undefined);
}

/** Hooks the engine while at least one handler listens, so that nobody pays when none does. Returns how to stop. */
export function listen(handler: KernelHandler): () => void {
  if (open.length === 0) prepare();
  open.push(handler);
  update();
  return () => {
    open.splice(open.lastIndexOf(handler), 1);
    update();
  };
}
