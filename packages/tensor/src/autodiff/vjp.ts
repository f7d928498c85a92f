import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { Tree } from '../seams/index.ts';
import { assertSameStructure, TreeMismatchError, treeEntries, treeUnflatten } from '../tree/index.ts';
import { checkFloat, checkSynchronous, enter, leavesOf, tidy } from './inputs.ts';
import { backward, isTapeOpen, record, tensorClock } from './tape.ts';

/** Takes a cotangent of the output back to the inputs; what it needs for that lives until `dispose`. */
export interface Pullback<P extends readonly Tree[], O extends Tree> {
  /**
   * cotangentᵀ · ∂f/∂primals, as often as wanted.
   *
   * @param cotangent Structure and shapes of the output.
   * @returns One tree per primal; the caller owns them.
   * @throws {TreeMismatchError} If the cotangent does not fit the output.
   */
  (cotangent: O): P;
  dispose(): void;
}

/**
 * The output of `f` and its vector–Jacobian product: reverse mode, for any output.
 *
 *     const [out, pullback] = vjp(f, [params, x]);
 *     const [dParams, dx] = pullback(cotangent);
 *     pullback.dispose();
 *
 * @param f Differentiable function of as many arguments as there are primals.
 * @param primals Trees of float32 tensors. Variables among them may be read through closures.
 * @returns The output and its pullback; the caller owns and disposes both.
 * @throws {FrugalError} `NOT_FLOAT`, `ASYNC_FUNCTION`, `OPEN_TAPE`; the pullback `NO_GRADIENT`, naming the kernel.
 */
export function vjp<P extends readonly Tree[], O extends Tree>(
  f: (...primals: P) => O,
  primals: readonly [...P],
): [out: O, pullback: Pullback<P, O>] {
  checkFloat('vjp', primals);
  if (isTapeOpen()) {
    throw new FrugalError(
      'OPEN_TAPE',
      'vjp: a gradient is being recorded around this call, and what vjp holds would outlive it. Use valueAndGrad here.',
    );
  }
  const start = tensorClock();
  const inputs = tidy(() => keepAll(enter(primals as unknown as P)));
  let recording: ReturnType<typeof record<O>>;
  try {
    recording = record(() => {
      const out = f(...inputs);
      checkSynchronous('vjp', out);
      return out;
    });
  } catch (error) {
    disposeEntered(inputs);
    throw error;
  }
  const { result, tape } = recording;
  const xs = leavesOf(inputs);
  const ys = leavesOf(result);
  // The caller owns the output: what was there before is cloned. Its id and shape outlive its disposal.
  const out = treeUnflatten(
    result,
    ys.map((y) => (y.id < start || xs.includes(y) ? tf.clone(y) : y)),
  );
  let open = true;
  const pullback = (cotangent: O): P => {
    if (!open) throw new FrugalError('DISPOSED', 'The pullback was disposed. Call vjp again.');
    checkShapes(result, cotangent);
    return tidy(() => treeUnflatten(inputs, backward(tape, xs, ys, leavesOf(cotangent), false)));
  };
  const dispose = (): void => {
    if (open) {
      tape.dispose();
      disposeEntered(inputs);
    }
    open = false;
  };
  return [out, Object.assign(pullback, { dispose })];
}

function keepAll<P extends Tree>(tree: P): P {
  for (const leaf of leavesOf(tree)) if (!(leaf instanceof tf.Variable)) tf.keep(leaf);
  return tree;
}

function disposeEntered(tree: Tree): void {
  for (const leaf of leavesOf(tree)) if (!(leaf instanceof tf.Variable)) leaf.dispose();
}

function checkShapes(out: Tree, cotangent: Tree): void {
  assertSameStructure(out, cotangent);
  const given = leavesOf(cotangent);
  for (const [i, [path, leaf]] of treeEntries(out).entries()) {
    const [y, c] = [leaf as tf.Tensor, given[i]!];
    if (c.dtype === y.dtype && tf.util.arraysEqual(c.shape, y.shape)) continue;
    const want = `${y.dtype} [${y.shape}]`;
    throw new TreeMismatchError(path, `the cotangent must be ${want} as the output is, got ${c.dtype} [${c.shape}].`);
  }
}
