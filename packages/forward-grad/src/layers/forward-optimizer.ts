import { foldIn, isStructured, type Key, type Tree, treeDispose, treeEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { SeededEstimator } from '../estimators/seeded.ts';
import { DelegatingOptimizer, type Named } from './delegate.ts';

/** Options of `forwardOptimizer`. */
export interface ForwardOptimizerOptions {
  /** The directions of step i come from `foldIn(key, i)`. */
  key: Key;
}

/** An optimizer of tfjs whose gradients come from an estimator instead of a backward pass. */
export class ForwardOptimizer extends DelegatingOptimizer {
  static get className(): string {
    return 'FrugalForwardOptimizer';
  }

  readonly #estimator: SeededEstimator;
  readonly #key: Key;

  /** Use `forwardOptimizer`. */
  constructor(estimator: SeededEstimator, inner: tf.Optimizer, key: Key) {
    super(inner);
    this.#estimator = estimator;
    this.#key = key;
  }

  override minimize(f: () => tf.Scalar, returnCost: boolean = false, varList?: tf.Variable[]): tf.Scalar | null {
    const variables = varList ?? trainableVariables();
    const params = Object.fromEntries(variables.map((variable, i) => [String(i), variable]));
    const loss = (p: Tree): tf.Tensor1D => withValues(params, p, () => tf.reshape(f(), [1]) as tf.Tensor1D);
    const key = foldIn(this.#key, this.inner.iterations);
    const { loss: cost, grads } = this.#estimator(loss, params as Tree, null, key);
    const named = treeEntries(grads).map(([i, leaf]): Named => {
      const { name } = variables[Number(i)]!;
      return { name, tensor: isStructured(leaf) ? leaf.materialize() : tf.clone(leaf as tf.Tensor) };
    });
    treeDispose(grads);
    this.inner.applyGradients(named);
    tf.dispose(named.map(({ tensor }) => tensor));
    if (returnCost) return cost;
    cost.dispose();
    return null;
  }
}

function trainableVariables(): tf.Variable[] {
  return Object.values(tf.engine().registeredVariables).filter((variable) => variable.trainable);
}

/** Runs `f`, which reads the variables, while they have the values `at`; where those are the variables, as they are. */
function withValues<T>(variables: Readonly<Record<string, tf.Variable>>, at: Tree, f: () => T): T {
  const moved = treeEntries(at).filter(([i, value]) => value !== variables[i]);
  const before = moved.map(([i, value]) => {
    const old = tf.clone(variables[i]! as tf.Tensor);
    variables[i]!.assign(value);
    return [variables[i]!, old] as const;
  });
  try {
    return f();
  } finally {
    for (const [variable, old] of before) {
      variable.assign(old);
      old.dispose();
    }
  }
}

/**
 * Trains a `LayersModel` with `model.fit`, or anything with `minimize`, without a backward pass.
 *
 *     model.compile({ optimizer: forwardOptimizer(weightPerturbation({ directions: 8 }), tf.train.adam(1e-3), { key: key(1) }), … })
 *
 * Works where backends have no backward kernels. `fit` keeps metrics each time the loss is asked for, so use
 * `weightPerturbation` there, which asks once, and `spsa` with `minimize` only.
 *
 * @param estimator Its noise grows with the number of parameters: see `weightPerturbation`.
 * @param inner What to do with the gradients: an optimizer of tfjs, or `toLayersOptimizer(chain(…))` of core-trainer. It is
 * disposed with this one.
 */
export function forwardOptimizer(
  estimator: SeededEstimator,
  inner: tf.Optimizer,
  options: ForwardOptimizerOptions,
): ForwardOptimizer {
  return new ForwardOptimizer(estimator, inner, options.key);
}
