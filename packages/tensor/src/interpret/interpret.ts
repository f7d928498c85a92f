import type { KernelHandler } from './handler.ts';
import { listen } from './hook.ts';
import { currentScope, isPromise, runInScope, type Scope } from './scope.ts';

/**
 * Runs `fn` while `handler` stands around every kernel that it runs: forward, backward, inside `customGrad`.
 *
 * Interpreters nest, the innermost sees a kernel first: `meter(jvp(f))` counts primal and tangent kernels,
 * `jvp(meter(f))` only the primal's. Not seen, since no kernel runs: `tf.tensor` and random numbers made by the host
 * (`created` tells of them) and values read back.
 *
 * `fn` may be asynchronous. Kernels that other code runs meanwhile are then seen too, and a second asynchronous
 * interpreter is refused, unless `trackAsyncInterpreters()` of `@frugal/tensor/node` was called.
 *
 * @param handler What to do around each kernel.
 * @param fn The program, synchronous or asynchronous.
 * @returns What `fn` returns.
 * @throws {FrugalError} `ASYNC_INTERPRETER` if `fn` is asynchronous while another interpreter is open (see above).
 */
export function interpret<R>(handler: KernelHandler, fn: () => R): R {
  const outer = currentScope();
  const seen = outer === undefined || outer.busy ? [] : outer.handlers.slice(0, outer.top);
  const scope: Scope = {
    handlers: [...seen, handler],
    top: seen.length + 1,
    busy: false,
    copies: null,
    collected: null,
  };
  const close = listen(handler);
  let result: R;
  try {
    result = runInScope(scope, fn);
  } catch (error) {
    close();
    throw error;
  }
  if (isPromise(result)) return Promise.resolve(result).finally(close) as R;
  close();
  return result;
}
