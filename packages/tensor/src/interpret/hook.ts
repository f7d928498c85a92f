import * as tf from '@tensorflow/tfjs-core';
import type { KernelAttrs, KernelHandler, KernelInputs, NextKernel } from './handler.ts';
import { currentScope } from './scope.ts';

/** The parts of tfjs's engine that are hooked; `runKernel` is called for every kernel, also by the backward pass. */
interface EngineHooks {
  runKernel: NextKernel;
  trackTensor(tensor: tf.Tensor, backend: unknown): void;
  disposeTensor(tensor: tf.Tensor): void;
}

/** Handlers of all open interpreters, in every scope: a tensor's life concerns them all. */
const open: KernelHandler[] = [];
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
    let copies: tf.Tensor[] | null = null;
    const next: NextKernel = (nextName: string, nextInputs: KernelInputs, nextAttrs: KernelAttrs) => {
      const out = dispatch(nextName, nextInputs, nextAttrs);
      if (scope.copies !== null) copies = copies === null ? scope.copies : [...copies, ...scope.copies];
      return out;
    };
    scope.top = level - 1;
    try {
      const out = handler.kernel(name, inputs, attrs, next);
      tellCopies(handler, copies);
      scope.copies = copies;
      return out;
    } finally {
      scope.top = level;
    }
  };
  return dispatch;
}

function tellCopies(handler: KernelHandler, copies: readonly tf.Tensor[] | null): void {
  if (copies === null || handler.cloned === undefined) return;
  for (let i = 0; i < copies.length; i += 2) {
    const copy = copies[i + 1]!;
    if (!copy.isDisposed) handler.cloned(copies[i]!, copy);
  }
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
          for (const handler of open) handler.created?.(tensor);
        },
    ),
    override(
      engine,
      'disposeTensor',
      (base) =>
        function disposeTensor(tensor) {
          base.call(engine, tensor);
          for (const handler of open) handler.disposed?.(tensor);
        },
    ),
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

/** Hooks the engine while at least one handler listens, so that nobody pays when none does. Returns how to stop. */
export function listen(handler: KernelHandler): () => void {
  if (open.length === 0) remove = install();
  open.push(handler);
  return () => {
    open.splice(open.lastIndexOf(handler), 1);
    if (open.length > 0) return;
    remove?.();
    remove = undefined;
  };
}
