import type { Tensor } from '@tensorflow/tfjs-core';
import type { Key } from './key.ts';
import type { Tree } from './tree.ts';

/** What a module keeps between calls outside of its parameters (running statistics, KV caches), by path. */
export interface State {
  get(path: string): Tensor | undefined;
  /** Stores `value`; the state owns it from now on and frees the tensor it replaces. */
  set(path: string, value: Tensor): void;
}

/** Receives layer outputs, by path, when somebody asked for them. The receiver clones what it keeps. */
export interface Taps {
  set(path: string, output: Tensor): void;
}

/** How a module is applied. Without a context it is applied for inference. */
export interface Context {
  readonly train: boolean;
  /** Randomness for this call; a container gives each child a key of its own. */
  readonly key?: Key | undefined;
  /** Read and written by modules that keep state. */
  readonly state?: State | undefined;
  readonly taps?: Taps | undefined;
  /** Where in the model this module stands, e.g. `'blocks.0.norm'`; containers extend it. */
  readonly path?: string | undefined;
}

/** A pure layer or model: parameters are made by `init` and passed to `apply`. */
export interface Module<P extends Tree = Tree, I = Tensor, O = Tensor> {
  /** Fresh parameters; the caller owns them. Equal keys give equal parameters. */
  init(key: Key): P;
  /** The output for `input`; a new tensor, also where it equals the input. Neither argument is disposed. */
  apply(params: P, input: I, ctx?: Context): O;
}

/** One step of a staged module: takes the whole parameter tree and the previous stage's output. */
export interface Stage<P extends Tree = Tree, I = Tensor, O = Tensor> {
  readonly name: string;
  /** The part of the tree that this stage reads. */
  params(all: P): Tree;
  apply(all: P, input: I, ctx?: Context): O;
  /**
   * The stage for some positions of a sequence [B, T, …] only; where it is missing, positions cannot leave one by one.
   *
   * `rows` are their numbers b·T + t, rising. The others keep their value, are attended to, and go into open caches.
   */
  applySome?(all: P, input: I, rows: Int32Array, ctx?: Context): O;
}

/**
 * A module that is a chain of stages, so that exits, block-wise perturbation and local losses can stand between them.
 *
 * `apply` equals folding the stages over the input. Point 0 is the input itself, point i the output of `stages[i - 1]`.
 */
export interface Staged<P extends Tree = Tree> extends Module<P, Tensor, Tensor> {
  readonly stages: readonly Stage<P>[];
}
