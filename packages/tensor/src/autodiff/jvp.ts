import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import { interpret } from '../interpret/index.ts';
import type { Tree } from '../seams/index.ts';
import { treeUnflatten } from '../tree/index.ts';
import { ForwardPass } from './forward-pass.ts';
import { checkSynchronous, enter, leavesOf, tidy } from './inputs.ts';
import { countDirections, pairTangents, seedsOf, type TangentTree } from './seeds.ts';
import type { Tangent } from './tangent.ts';
import { isTapeOpen, tensorClock } from './tape.ts';
import type { Aux } from './value-and-grad.ts';

/** Options of `jvp` and `jvpMany`. */
export interface JvpOptions {
  /** The function returns `[out, aux]`; `aux` (tensors, numbers, …) is handed through without a tangent. */
  hasAux?: boolean;
  /**
   * Throws if the function reads the values of a tensor that depends on the primals: what it does with them has no
   * derivative. Default false.
   */
  strict?: boolean;
}

/**
 * The output of `f` and its derivative in one direction, in one pass without a backward pass: forward mode.
 *
 *     out = f(…primals),  tangent = Σᵢ ∂f/∂primalᵢ · tangentᵢ
 *
 * Tangents die with their primals, so memory stays constant in depth if `f` lets go of its activations. Inputs whose
 * tangent is null cost nothing. Variables among the primals may be read through closures (tfjs-layers models work
 * unchanged); other captured tensors are constants. May be nested. Gradients of `tf.customGrad` are not used: the
 * kernels inside are differentiated (see `customJvp`).
 *
 * @param f Function of as many trees as there are primals, to a tree; synchronous.
 * @param primals Where to differentiate.
 * @param tangents In the structure of the primals, same shapes and types; null for zero; may be structured leaves.
 * @returns `[out, tangent]`, with `hasAux` `[out, tangent, aux]`; the caller owns them.
 * @throws {TreeMismatchError} If a tangent does not fit; says where.
 * @throws {NoJvpRuleError} If a kernel has no rule; names it. Never a silent zero.
 * @throws {FrugalError} `OPEN_TAPE` inside of a gradient, `ASYNC_FUNCTION`; with `strict`, `VALUE_READ`.
 */
export function jvp<P extends readonly Tree[], O extends Tree, X extends Aux>(
  f: (...primals: P) => [out: O, aux: X],
  primals: readonly [...P],
  tangents: readonly TangentTree[],
  options: JvpOptions & { hasAux: true },
): [out: O, tangent: O, aux: X];
export function jvp<P extends readonly Tree[], O extends Tree>(
  f: (...primals: P) => O,
  primals: readonly [...P],
  tangents: readonly TangentTree[],
  options?: JvpOptions & { hasAux?: false },
): [out: O, tangent: O];
export function jvp<P extends readonly Tree[], O extends Tree>(
  f: (...primals: P) => O | [O, Aux],
  primals: readonly [...P],
  tangents: readonly TangentTree[],
  options: JvpOptions = {},
): unknown[] {
  const paired = pairTangents(primals, tangents, false);
  return runForward('jvp', f, primals as unknown as P, paired, undefined, options);
}

/**
 * The output of `f` and its derivatives in K directions, through **one** pass: the primal is computed once, and
 * products take all directions together.
 *
 * @param f As for `jvp`.
 * @param primals As for `jvp`.
 * @param tangents As for `jvp`, every leaf with a leading axis K.
 * @returns `[out, tangents]`, the latter with a leading axis K, and `aux` with `hasAux`; the caller owns them.
 * @throws As `jvp`; `DIRECTIONS` if the leading axes differ.
 */
export function jvpMany<P extends readonly Tree[], O extends Tree, X extends Aux>(
  f: (...primals: P) => [out: O, aux: X],
  primals: readonly [...P],
  tangents: readonly TangentTree[],
  options: JvpOptions & { hasAux: true },
): [out: O, tangents: O, aux: X];
export function jvpMany<P extends readonly Tree[], O extends Tree>(
  f: (...primals: P) => O,
  primals: readonly [...P],
  tangents: readonly TangentTree[],
  options?: JvpOptions & { hasAux?: false },
): [out: O, tangents: O];
export function jvpMany<P extends readonly Tree[], O extends Tree>(
  f: (...primals: P) => O | [O, Aux],
  primals: readonly [...P],
  tangents: readonly TangentTree[],
  options: JvpOptions = {},
): unknown[] {
  const paired = pairTangents(primals, tangents, true);
  return runForward('jvpMany', f, primals as unknown as P, paired, countDirections('jvpMany', paired), options);
}

/** @throws {FrugalError} Inside of a gradient: it would not see the tangents that are made within `customGrad`. */
export function refuseOpenTape(name: string): void {
  if (!isTapeOpen()) return;
  throw new FrugalError(
    'OPEN_TAPE',
    `${name}: a gradient is being recorded around this call and could not go back through it. ` +
      `Take the gradient inside (forward over reverse, as hvp does), or nest ${name} in jvp.`,
  );
}

/** Refuses to let values of followed tensors out. */
class StrictPass extends ForwardPass {
  readonly #caller: string;

  constructor(caller: string, directions: number | undefined) {
    super(directions);
    this.#caller = caller;
  }

  read(tensor: tf.Tensor): void {
    if (this.paused || !this.depends(tensor)) return;
    throw new FrugalError(
      'VALUE_READ',
      `${this.#caller}: the function reads the values of a tensor [${tensor.shape}] that depends on the primals, and ` +
        'what it does with them has no derivative. Compute with tensors, or leave strict away if it only looks.',
    );
  }
}

function runForward<P extends readonly Tree[], O extends Tree>(
  name: string,
  f: (...primals: P) => O | [O, Aux],
  primals: P,
  tangents: readonly (Tangent | undefined)[],
  directions: number | undefined,
  options: JvpOptions,
): unknown[] {
  refuseOpenTape(name);
  const pass = options.strict ? new StrictPass(name, directions) : new ForwardPass(directions);
  return tidy(() => {
    const start = tensorClock();
    const inputs = enter(primals);
    for (const [leaf, tangent] of seedsOf(leavesOf(inputs), tangents)) pass.tangents.lend(leaf, tangent);
    try {
      const returned = interpret(pass, () => {
        const result = f(...inputs);
        checkSynchronous(name, result);
        return result;
      });
      const [out, ...aux] = options.hasAux ? (returned as [O, Aux]) : [returned as O];
      const leaves = leavesOf(out);
      const along = pass.tangents.takeAll(leaves, directions);
      // What `f` did not make is not the caller's to dispose.
      const own = leaves.map((leaf) => (leaf.id < start || leaf.kept ? tf.clone(leaf) : leaf));
      return [treeUnflatten(out, own), treeUnflatten(out, along), ...aux];
    } finally {
      pass.tangents.dispose();
    }
  });
}
