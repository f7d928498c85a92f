import type { Tensor } from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { KernelHandler } from './handler.ts';

/** The handlers that see the kernels of one (possibly asynchronous) chain of calls, innermost last. */
export interface Scope {
  readonly handlers: readonly KernelHandler[];
  /** Handlers [0, top) see the next kernel; smaller than their number while a handler itself is running. */
  top: number;
  /** Inside a backend's kernel: kernels that it runs itself are its own business. */
  busy: boolean;
  /** The engine's clones made by the last kernel, as [original, copy, original, copy, …]. */
  copies: Tensor[] | null;
  /** Those of all kernels that the running handler asked for by `next`. */
  collected: Tensor[] | null;
}

/** Where the scope of the running code is kept; `AsyncLocalStorage` has this shape. */
export interface ScopeStorage {
  getStore(): Scope | undefined;
  run<R>(scope: Scope, fn: () => R): R;
}

export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null)?.then === 'function';
}

/** A variable: right for everything synchronous, and for one asynchronous interpreter at a time. */
function variableStorage(): ScopeStorage {
  let current: Scope | undefined;
  return {
    getStore: () => current,
    run(scope, fn) {
      const before = current;
      current = scope;
      let result: ReturnType<typeof fn>;
      try {
        result = fn();
      } catch (error) {
        current = before;
        throw error;
      }
      if (!isPromise(result)) {
        current = before;
      } else if (before === undefined) {
        const restore = (): void => {
          current = before;
        };
        result.then(restore, restore);
      } else {
        current = before;
        result.catch(() => undefined);
        throw new FrugalError(
          'ASYNC_INTERPRETER',
          'interpret: fn is asynchronous and another interpreter is open, so their kernels could not be told apart. ' +
            "Await the other one first, or in Node call trackAsyncInterpreters() of '@frugal/tensor/node'.",
        );
      }
      return result;
    },
  };
}

let storage: ScopeStorage = variableStorage();

export function currentScope(): Scope | undefined {
  return storage.getStore();
}

export function runInScope<R>(scope: Scope, fn: () => R): R {
  return storage.run(scope, fn);
}

/** Replaces where scopes are kept; not while an interpreter is open. */
export function useScopeStorage(replacement: ScopeStorage): void {
  storage = replacement;
}

/** The handlers that see the kernels run here, innermost last. */
export function visibleHandlers(): readonly KernelHandler[] {
  const scope = storage.getStore();
  return scope === undefined || scope.busy ? [] : scope.handlers.slice(0, scope.top);
}

/** Runs `fn` as code of `handler`'s own, seen only by the handlers outside of it. */
export function runBelow<R>(handler: KernelHandler, fn: () => R): R {
  const scope = storage.getStore();
  const level = scope?.handlers.indexOf(handler) ?? -1;
  if (scope === undefined || level < 0) return fn();
  const top = scope.top;
  scope.top = level;
  try {
    return fn();
  } finally {
    scope.top = top;
  }
}
