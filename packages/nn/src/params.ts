import type { Key, Module, Tree } from '@frugal/tensor';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';

/** The tree of a module without parameters: an empty object. */
export type NoParams = Readonly<Record<string, never>>;

/** A weight with a bias where `B` is true. */
export type Affine<W extends Tensor, B extends boolean = true> = B extends true
  ? { readonly weight: W; readonly bias: Tensor1D }
  : { readonly weight: W };

/** The parameter tree of a module: `ParamsOf<typeof model>`. */
export type ParamsOf<M> = M extends { init(key: Key): infer P } ? P : never;

/** Any module from a tensor to a tensor. */
export type AnyModule = Module<Tree, Tensor, Tensor>;
