import type { State, Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { joinPath } from '../context.ts';
import type { AnyModule } from '../params.ts';
import { specOf } from '../spec.ts';
import { refuse, translate } from './translate.ts';

/** Where layers are appended. */
export interface Chain {
  readonly state: State | undefined;
  /** The shape at the end so far, with the batch. */
  shape(): (number | null)[];
  add(layer: tfl.layers.Layer, weights?: readonly tf.Tensor[]): void;
  /** Runs both from the same point and adds up where they end. */
  sum(left: () => void, right: () => void): void;
}

/** Appends what `module` computes to a chain of tfjs layers, with copies of its parameters. */
export function convert(module: AnyModule, params: Tree, path: string, chain: Chain): void {
  const spec = specOf(module);
  const inner = params as { readonly [name: string]: Tree };
  if (spec === undefined) refuse(path, 'a module that does not say what it is');
  switch (spec.kind) {
    case 'sequential':
      for (const [name, child] of spec.children) convert(child, inner[name]!, joinPath(path, name), chain);
      break;
    case 'wrap':
      for (const before of spec.before) convert(before, {}, '', chain);
      convert(spec.module, params, path, chain);
      for (const after of spec.after) convert(after, {}, '', chain);
      break;
    case 'residual': {
      const { body, shortcut } = spec;
      if (shortcut === undefined) {
        chain.sum(
          () => undefined,
          () => convert(body, params, path, chain),
        );
      } else {
        chain.sum(
          () => convert(shortcut, inner['shortcut']!, joinPath(path, 'shortcut'), chain),
          () => convert(body, inner['body']!, joinPath(path, 'body'), chain),
        );
      }
      break;
    }
    default:
      tf.tidy(() => {
        const place = { path, rank: chain.shape().length, state: chain.state };
        const made = translate(spec, params as Readonly<Record<string, tf.Tensor>>, place);
        for (const { layer, weights } of made) chain.add(layer, weights);
      });
  }
}

/** Whether a sum of branches is somewhere inside. */
export function hasBranches(module: AnyModule): boolean {
  const spec = specOf(module);
  if (spec?.kind === 'residual') return true;
  if (spec?.kind === 'sequential') return spec.children.some(([, child]) => hasBranches(child));
  return spec?.kind === 'wrap' && hasBranches(spec.module);
}
