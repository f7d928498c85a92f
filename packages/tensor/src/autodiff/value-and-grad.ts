import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { Tree } from '../seams/index.ts';
import { treeUnflatten } from '../tree/index.ts';
import { checkFloat, checkSynchronous, enter, leavesOf, tidy } from './inputs.ts';
import { backward, record } from './tape.ts';

/** Options of `valueAndGrad`. */
export interface ValueAndGradOptions {
  /** The function returns `[value, aux]`; `aux` (tensors, numbers, …) is handed through. */
  hasAux?: boolean;
}

/** What the function of `valueAndGrad` with `hasAux` returns beside its value. */
export type Aux = tf.TensorContainer;

/**
 * A function that returns the value of `f` and its gradient with respect to the first argument.
 *
 *     const [loss, grads] = valueAndGrad(f)(params, x, y)
 *
 * Gradients of parameters that `f` does not use are zeros. Variables among the parameters may be read by `f` through
 * closures; other tensors that it captures are constants. Freed as it goes back: intermediate gradients and saved
 * activations, so that the peak is lower than that of `tf.grads`.
 *
 * @param f Differentiable function from a tree of float32 tensors (and any further arguments) to a scalar.
 * @returns Takes `f`'s arguments, gives `[value, grads]`, with `hasAux` `[value, grads, aux]`; the caller owns them.
 * @throws {FrugalError} `NOT_SCALAR`, `NOT_FLOAT`, `ASYNC_FUNCTION`, or `NO_GRADIENT` naming the kernel without one.
 */
export function valueAndGrad<P extends Tree, A extends unknown[], X extends Aux>(
  f: (params: P, ...args: A) => [value: tf.Tensor, aux: X],
  options: { hasAux: true },
): (params: P, ...args: A) => [value: tf.Scalar, grads: P, aux: X];
export function valueAndGrad<P extends Tree, A extends unknown[]>(
  f: (params: P, ...args: A) => tf.Tensor,
  options?: { hasAux?: false },
): (params: P, ...args: A) => [value: tf.Scalar, grads: P];
export function valueAndGrad<P extends Tree, A extends unknown[]>(
  f: (params: P, ...args: A) => tf.Tensor | [tf.Tensor, Aux],
  options: ValueAndGradOptions = {},
): (params: P, ...args: A) => unknown[] {
  return (params, ...args) => {
    checkFloat('valueAndGrad', params);
    return tidy(() => {
      const inputs = enter(params);
      const { result, tape } = record((): [tf.Tensor, ...Aux[]] => {
        const returned = f(inputs, ...args);
        checkSynchronous('valueAndGrad', returned);
        const [value, ...aux] = options.hasAux ? (returned as [tf.Tensor, Aux]) : [returned as tf.Tensor];
        checkScalar(value);
        return [value, ...aux];
      });
      try {
        const [value, ...aux] = result;
        const grads = backward(tape, leavesOf(inputs), [value], [tf.onesLike(value)], true);
        return [tf.clone(value), treeUnflatten(inputs, grads), ...aux];
      } finally {
        tape.dispose();
      }
    });
  };
}

function checkScalar(value: unknown): void {
  if (value instanceof tf.Tensor && value.rank === 0 && value.dtype === 'float32') return;
  const got = value instanceof tf.Tensor ? `a ${value.dtype} tensor of shape [${value.shape}]` : typeof value;
  throw new FrugalError(
    'NOT_SCALAR',
    `valueAndGrad: the function must return a float32 scalar, got ${got}. Reduce it with tf.mean or tf.sum, ` +
      'or use vjp. If it returns [value, aux], pass { hasAux: true }.',
  );
}
