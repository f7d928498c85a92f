import * as tf from '@tensorflow/tfjs-core';
import type { KernelHandler, NextKernel } from './handler.ts';
import { currentScope } from './scope.ts';

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
let remove: (() => void) | undefined;

/** Replaces a method by an own property; what is returned puts the former state back. */
function override<T extends object, K extends keyof T>(target: T, name: K, make: (base: T[K]) => T[K]): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  target[name] = make(target[name]);
  return () => {
    if (own === undefined) delete target[name];
    else Object.defineProperty(target, name, own);
  };
}

function dispatcher(engine: EngineHooks, base: NextKernel): NextKernel {
  const dispatch: NextKernel = (name, inputs, attrs) => {
    const scope = currentScope();
    if (scope === undefined) return base.call(engine, name, inputs, attrs);
    if (scope.busy) {
      const out = base.call(engine, name, inputs, attrs);
      // The engine clones what a gradient needs while the kernel still counts as running.
      if (name === 'Identity') {
        scope.copies ??= [];
        scope.copies.push((inputs as { x: tf.Tensor }).x, out as tf.Tensor);
      }
      return out;
    }
    if (scope.top === 0) {
      scope.copies = null;
      scope.busy = true;
      try {
        return base.call(engine, name, inputs, attrs);
      } finally {
        scope.busy = false;
      }
    }
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
    const out = dispatch(name, inputs, attrs);
    const scope = currentScope();
    if (scope !== undefined && scope.copies !== null) {
      scope.collected = scope.collected === null ? scope.copies : [...scope.collected, ...scope.copies];
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

function tellReads<F extends (this: tf.Tensor) => unknown>(base: F): F {
  return function read(this: tf.Tensor) {
    for (const handler of open) handler.read?.(this);
    return base.call(this);
  } as F;
}

function install(): () => void {
  const engine = tf.engine() as unknown as EngineHooks;
  const removals = [
    override(engine, 'runKernel', (base) => dispatcher(engine, base)),
    override(
      engine,
      'trackTensor',
      (base) =>
        function trackTensor(tensor, backend) {
          base.call(engine, tensor, backend);
          for (let i = 0; i < creating.length; i++) creating[i]!.created!(tensor);
        },
    ),
    override(
      engine,
      'disposeTensor',
      (base) =>
        function disposeTensor(tensor) {
          base.call(engine, tensor);
          for (let i = 0; i < disposing.length; i++) disposing[i]!.disposed!(tensor);
        },
    ),
    override(tf.Tensor.prototype, 'data', tellReads),
    override(tf.Tensor.prototype, 'dataSync', tellReads),
    override(
      tf.Variable.prototype,
      'assign',
      (base) =>
        function assign(this: tf.Variable, value) {
          base.call(this, value);
          for (const handler of open) handler.assigned?.(this, value);
        },
    ),
  ];
  return () => {
    for (const undo of removals.reverse()) undo();
  };
}

function sort(): void {
  creating = open.filter(({ created }) => created !== undefined);
  disposing = open.filter(({ disposed }) => disposed !== undefined);
}

/** Hooks the engine while at least one handler listens, so that nobody pays when none does. Returns how to stop. */
export function listen(handler: KernelHandler): () => void {
  if (open.length === 0) remove = install();
  open.push(handler);
  sort();
  return () => {
    open.splice(open.lastIndexOf(handler), 1);
    sort();
    if (open.length > 0) return;
    remove?.();
    remove = undefined;
  };
}
