import { key, type Module, type Tree, treeEntries, treeLeaves, treeUnflatten } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

/** A module as one layer of tfjs's, so that `model.fit` trains it. */
export class ModuleLayer extends tfl.layers.Layer {
  static get className(): string {
    return 'ModuleLayer';
  }

  readonly #module: Module;
  readonly #outputs: readonly number[];
  #template: Tree = [];

  /** `outputs`: what is appended to the input's shape, e.g. `[classes]`. */
  constructor(module: Module, outputs: readonly number[]) {
    super({});
    this.#module = module;
    this.#outputs = outputs;
  }

  override build(shape: tfl.Shape): void {
    this.#template = this.#module.init(key(1));
    const leaves = treeEntries(this.#template);
    for (const [path, leaf] of leaves) this.addWeight(path, leaf.shape, 'float32', tfl.initializers.zeros());
    super.build(shape);
    this.setWeights(leaves.map(([, leaf]) => leaf));
  }

  override computeOutputShape(shape: tfl.Shape): tfl.Shape {
    return [...shape, ...this.#outputs];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const input = Array.isArray(inputs) ? inputs[0]! : inputs;
    const weights = this.weights.map((weight) => weight.read());
    if (treeLeaves(this.#template).length !== weights.length) throw new Error('The layer was not built.');
    return this.#module.apply(treeUnflatten(this.#template, weights), input, { train: true });
  }
}
