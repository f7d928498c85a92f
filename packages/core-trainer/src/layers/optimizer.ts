import {
  FrugalError,
  type GradientTransformation,
  type Tree,
  treeDispose,
  treeEntries,
  treeUnflatten,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { takeStep } from '../transforms/index.ts';

type Named = { name: string; tensor: tf.Tensor };
type Variables = Readonly<Record<string, tf.Variable>>;

/** `'dense_1.kernel'` of the variable `'dense_1/kernel'`: what masks and states call it. */
const pathOf = (variable: string): string => variable.replaceAll('/', '.');

/**
 * An optimizer of ours as tfjs's: for `model.compile`, or `minimize`.
 *
 * Its state follows the order of the variables, as in tfjs's own optimizers.
 */
export class LayersOptimizer extends tf.Optimizer {
  static get className(): string {
    return 'FrugalOptimizer';
  }

  /** Whether an optimizer is one of these; `instanceof` says yes to every optimizer of tfjs. */
  static is(optimizer: tf.Optimizer): optimizer is LayersOptimizer {
    return #transformation in optimizer;
  }

  readonly #transformation: GradientTransformation;
  #names: readonly string[] | undefined;
  #state: Tree = {};
  #loaded: tf.Tensor[] | undefined;

  constructor(transformation: GradientTransformation) {
    super();
    this.#transformation = transformation;
  }

  override minimize(f: () => tf.Scalar, returnCost: boolean = false, varList?: tf.Variable[]): tf.Scalar | null {
    const { value, grads } = this.computeGradients(f, varList);
    const names = varList?.map(({ name }) => name) ?? Object.keys(grads);
    this.#apply(
      names.map((name) => [name, grads[name]]),
      value,
    );
    tf.dispose(grads);
    if (returnCost) return value;
    value.dispose();
    return null;
  }

  applyGradients(gradients: tf.NamedTensorMap | Named[]): void {
    const pairs = Array.isArray(gradients)
      ? gradients.map(({ name, tensor }) => [name, tensor] as const)
      : Object.entries(gradients);
    this.#apply(pairs);
  }

  #apply(pairs: readonly (readonly [name: string, gradient: tf.Tensor | undefined])[], loss?: tf.Scalar): void {
    const variables = treeOf(pairs.map(([name]) => name));
    this.prepare(Object.values(variables));
    const missing: tf.Tensor[] = [];
    const zeros = (like: tf.Tensor): tf.Tensor => {
      missing.push(tf.zerosLike(like));
      return missing.at(-1)!;
    };
    const grads = Object.fromEntries(
      pairs.map(([name, gradient]) => [pathOf(name), gradient ?? zeros(variables[pathOf(name)]!)]),
    );
    const extra = { step: this.iterations, loss };
    const [moved, state] = takeStep(this.#transformation, grads, this.#state, variables as Tree, extra);
    // fit runs a step in a tidy, and the state outlives it.
    for (const [, leaf] of treeEntries(state)) tf.keep(leaf);
    this.#state = state;
    assign(variables, moved as Readonly<Record<string, tf.Tensor>>);
    tf.dispose(missing);
    this.incrementIterations();
  }

  /**
   * Makes the state for these variables before the first step, or takes the one that was loaded.
   *
   * @throws {FrugalError} `STATE_MISMATCH` where that does not fit; `VARIABLES_CHANGED` where there is one for others.
   */
  prepare(variables: readonly tf.Variable[]): void {
    const names = variables.map(({ name }) => name);
    if (this.#names === undefined) {
      const fresh = this.#transformation.init(treeOf(names));
      for (const [, leaf] of treeEntries(fresh)) tf.keep(leaf);
      this.#state = this.#loaded === undefined ? fresh : replaced(fresh, this.#loaded);
      this.#loaded = undefined;
      this.#names = names;
    }
    if (this.#names.join() === names.join()) return;
    throw new FrugalError(
      'VARIABLES_CHANGED',
      `This optimizer keeps state for [${this.#names}], and got gradients of [${names}]. Make a new one for the other ` +
        'variables, and compile the model with it.',
    );
  }

  /**
   * The parameters to evaluate and to ship, in the order of `model.trainableWeights`; the caller owns them.
   *
   * @returns undefined where they are those of the model.
   */
  evaluationParams(): tf.Tensor[] | undefined {
    const { evaluationParams } = this.#transformation;
    if (evaluationParams === undefined || this.#names === undefined) return undefined;
    return Object.values(evaluationParams(this.#state, treeOf(this.#names)));
  }

  /** What the schedules say at a step, for logs. */
  hyperparams(step: number): Readonly<Record<string, number>> {
    return this.#transformation.hyperparams?.(step) ?? {};
  }

  override async getWeights(): Promise<Named[]> {
    const state = treeEntries(this.#state).map(([name, tensor]) => ({ name, tensor }));
    return [(await this.saveIterations()) as Named, ...state];
  }

  override async setWeights(weights: Named[]): Promise<void> {
    const rest = (await this.extractIterations(weights)) as Named[];
    const loaded = rest.map(({ tensor }) => tf.keep(tensor.clone()));
    if (this.#loaded !== undefined) tf.dispose(this.#loaded);
    if (this.#names === undefined) this.#loaded = loaded;
    else this.#state = replaced(this.#state, loaded);
  }

  getConfig(): never {
    throw new FrugalError(
      'NOT_SERIALIZABLE',
      "An optimizer of Frugal is made of functions, and model.save cannot write them. Leave 'includeOptimizer' out, and " +
        'use saveCheckpoints and resumeFit, which keep its state.',
    );
  }

  override dispose(): void {
    treeDispose(this.#state);
    if (this.#loaded !== undefined) tf.dispose(this.#loaded);
    this.#state = {};
    this.#loaded = undefined;
    this.#names = undefined;
  }
}

/** The variables of these names as a tree. */
function treeOf(names: readonly string[]): Variables {
  const { registeredVariables } = tf.engine();
  return Object.fromEntries(names.map((name) => [pathOf(name), registeredVariables[name]!]));
}

function assign(variables: Variables, moved: Readonly<Record<string, tf.Tensor>>): void {
  for (const [path, variable] of Object.entries(variables)) {
    const value = moved[path]!;
    if (value === variable) continue; // frozen
    variable.assign(value);
    value.dispose();
  }
}

/** `state` with the loaded leaves in its place; frees the old ones. */
function replaced(state: Tree, loaded: readonly tf.Tensor[]): Tree {
  const entries = treeEntries(state);
  const at = entries.findIndex(([, leaf], i) => {
    const other = loaded[i];
    return other === undefined || other.dtype !== leaf.dtype || !tf.util.arraysEqual(other.shape, leaf.shape);
  });
  const index = at >= 0 ? at : loaded.length === entries.length ? -1 : entries.length;
  if (index >= 0) {
    const describe = (leaf: tf.Tensor | undefined): string =>
      leaf === undefined ? 'none' : `${leaf.dtype} [${leaf.shape}]`;
    const [path, leaf] = entries[index] ?? ['the end', undefined];
    const message = `the optimizer's state has ${describe(leaf)} at '${path}', the loaded one ${describe(loaded[index])}.`;
    tf.dispose([...loaded]);
    throw new FrugalError('STATE_MISMATCH', `${message} Use the model and the optimizer that it was saved from.`);
  }
  treeDispose(state);
  return treeUnflatten(state, loaded);
}

/**
 * Any optimizer of ours for `model.compile`: `model.compile({ optimizer: toLayersOptimizer(adamw(1e-3)), … })`.
 *
 * Schedules inside count the model's updates. Masks get paths such as `'dense_Dense1.kernel'`. `model.fit` is as it was.
 */
export function toLayersOptimizer(transformation: GradientTransformation): LayersOptimizer {
  return new LayersOptimizer(transformation);
}
