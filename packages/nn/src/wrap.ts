import { isTapeOpen, type Module, type Tree } from '@frugal/tensor';
import { childContext, runSteps } from './context.ts';
import type { AnyModule, NoParams } from './params.ts';
import { type Layer, specOf } from './spec.ts';

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
  const layer = module as Layer<P>;
  const first = after[0] && specOf(after[0]);
  const fusable = layer.applyRelu !== undefined && first?.kind === 'activation' && first.activation === 'relu';
  return {
    spec: { kind: 'wrap', before, module, after },
    init: (key) => module.init(key),
    apply(params, x, ctx) {
      const fuses = fusable && !isTapeOpen();
      const chain: readonly AnyModule[] = [...before, module, ...(fuses ? after.slice(1) : after)];
      return runSteps(
        x,
        chain.map((link, i) => (h: typeof x) => {
          // Fused or not, what follows has the key of its place.
          const own = childContext(ctx, '', fuses && i > before.length ? i + 1 : i);
          if (i !== before.length) return link.apply({}, h, own);
          return fuses ? layer.applyRelu!(params, h, own) : module.apply(params, h, own);
        }),
      );
    },
  };
}
