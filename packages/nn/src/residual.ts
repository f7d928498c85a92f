import { FrugalError, foldIn, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { whereIs } from './checks.ts';
import { applyChild } from './context.ts';
import type { AnyModule, ParamsOf } from './params.ts';
import type { Layer } from './spec.ts';

/** The tree of `residual`: that of the body alone, or body and shortcut by name. */
export type ResidualParams<B extends AnyModule, S extends AnyModule | undefined> = S extends AnyModule
  ? { readonly body: ParamsOf<B>; readonly shortcut: ParamsOf<S> }
  : ParamsOf<B>;

/** Options of `residual`. */
export interface ResidualOptions<S extends AnyModule | undefined> {
  /** What the input goes through beside the body, e.g. a 1×1 convolution. Default: nothing. */
  shortcut?: S;
}

/**
 * x + body(x), or shortcut(x) + body(x) (arXiv 1512.03385).
 *
 * @throws {FrugalError} On `apply`, if the two have different shapes.
 */
export function residual<B extends AnyModule, S extends AnyModule | undefined = undefined>(
  body: B,
  options: ResidualOptions<S> = {},
): Layer<ResidualParams<B, S> & Tree> {
  const shortcut: AnyModule | undefined = options.shortcut;
  type P = ResidualParams<B, S> & Tree;
  const add = (a: tf.Tensor, b: tf.Tensor, where: () => string): tf.Tensor => {
    if (a.shape.join() !== b.shape.join()) {
      const hint = 'Give it a shortcut that changes the shape likewise.';
      throw new FrugalError('BAD_SHAPE', `${where()} adds [${b.shape}] to [${a.shape}]. ${hint}`);
    }
    return tf.add(a, b);
  };
  return {
    spec: { kind: 'residual', body, shortcut },
    init(key) {
      if (shortcut === undefined) return body.init(key) as P;
      return { body: body.init(foldIn(key, 0)), shortcut: shortcut.init(foldIn(key, 1)) } as unknown as P;
    },
    apply(params, x, ctx) {
      return tf.tidy(() => {
        const where = () => whereIs('residual', ctx);
        if (shortcut === undefined) return add(x, body.apply(params, x, ctx), where);
        const both = params as { body: Tree; shortcut: Tree };
        const y = applyChild(body, both.body, x, ctx, 'body', 0);
        return add(applyChild(shortcut, both.shortcut, x, ctx, 'shortcut', 1), y, where);
      });
    },
  };
}
