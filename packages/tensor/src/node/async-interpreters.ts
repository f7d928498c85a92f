import { AsyncLocalStorage } from 'node:async_hooks';
import { type Scope, useScopeStorage } from '../interpret/scope.ts';

let called = false;

/**
 * Lets asynchronous interpreters (`interpret`, `meter`, …) overlap: each sees the kernels of its own chain of calls.
 *
 * Call it once at the start of a Node program, before the first interpreter. Costs nanoseconds per kernel.
 */
export function trackAsyncInterpreters(): void {
  if (!called) useScopeStorage(new AsyncLocalStorage<Scope>());
  called = true;
}
