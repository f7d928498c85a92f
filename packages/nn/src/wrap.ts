import type { Module, Tree } from '@frugal/tensor';
import { childContext, runSteps } from './context.ts';
import type { AnyModule, NoParams } from './params.ts';
import type { Layer } from './spec.ts';

/** Options of `wrap`. */
export interface WrapOptions {
  /** Run before the module. */
  before?: readonly Module<NoParams>[];
  /** Run after it. */
  after?: readonly Module<NoParams>[];
}

/**
 * A module with parameterless ones before and after it, as one: the tree and the path are the module's own.
 *
 * `wrap(dense(784, 100), { before: [flatten()], after: [relu()] })` has the parameters of `dense` and makes one stage.
 */
export function wrap<P extends Tree>(module: Module<P>, options: WrapOptions): Layer<P> {
  const { before = [], after = [] } = options;
  return {
    spec: { kind: 'wrap', before, module, after },
    init: (key) => module.init(key),
    apply(params, x, ctx) {
      const chain: readonly AnyModule[] = [...before, module, ...after];
      return runSteps(
        x,
        chain.map((link, i) => (h: typeof x) => {
          const own = childContext(ctx, '', i);
          return link.apply(i === before.length ? params : {}, h, own);
        }),
      );
    },
  };
}
