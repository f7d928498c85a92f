import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { Tree } from '../seams/index.ts';
import { isStructured, isTensor, TreeMismatchError } from '../tree/index.ts';
import type { Seed } from './jvp-call.ts';
import { isDifferentiable, type Tangent } from './tangent.ts';

/**
 * Tangents in the structure of their primals; null or undefined, for a leaf or a whole subtree, means zero and costs
 * nothing.
 */
export type TangentTree =
  | Tangent
  | null
  | undefined
  | readonly TangentTree[]
  | { readonly [name: string]: TangentTree };

function isLeaf(node: unknown): node is Tangent {
  return isTensor(node) || isStructured(node);
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function checkLeaf(primal: tf.Tensor, tangent: TangentTree, path: string, many: boolean): asserts tangent is Tangent {
  if (!isLeaf(tangent)) throw new TreeMismatchError(path, 'the primal is a tensor, its tangent a subtree.');
  if (!isDifferentiable(primal.dtype)) {
    throw new TreeMismatchError(path, `the primal is ${primal.dtype} and has no tangent: pass null there.`);
  }
  const dtype = isTensor(tangent) ? tangent.dtype : 'float32';
  const shape = many ? tangent.shape.slice(1) : tangent.shape;
  const fits = dtype === primal.dtype && tf.util.arraysEqual([...shape], primal.shape);
  if (fits && tangent.shape.length === primal.rank + (many ? 1 : 0)) return;
  const want = many ? ['K', ...primal.shape] : primal.shape;
  throw new TreeMismatchError(path, `its tangent must be ${primal.dtype} [${want}], got ${dtype} [${tangent.shape}].`);
}

/**
 * Pairs the leaves of `primals` with their tangents, in order; undefined where the tangent is zero.
 *
 * @throws {TreeMismatchError} At the first tangent that does not fit.
 */
export function pairTangents(primals: Tree, tangents: TangentTree, many: boolean): (Tangent | undefined)[] {
  const out: (Tangent | undefined)[] = [];
  const visit = (primal: Tree, tangent: TangentTree, path: string): void => {
    if (isTensor(primal)) {
      if (tangent != null) checkLeaf(primal, tangent, path, many);
      out.push(tangent ?? undefined);
      return;
    }
    if (tangent != null && (isLeaf(tangent) || Array.isArray(tangent) !== Array.isArray(primal))) {
      throw new TreeMismatchError(path, 'the primal is a subtree, its tangent has another kind.');
    }
    const names = Object.keys(primal);
    const given = (tangent ?? {}) as Record<string, TangentTree>;
    const surplus = Object.keys(given).find((name) => !names.includes(name));
    if (surplus !== undefined) throw new TreeMismatchError(join(path, surplus), 'a tangent without a primal.');
    for (const name of names) visit((primal as Record<string, Tree>)[name]!, given[name], join(path, name));
  };
  visit(primals, tangents, '');
  return out;
}

/**
 * The number of directions that tangents with a leading axis carry.
 *
 * @throws {FrugalError} If there is none, or they differ.
 */
export function countDirections(name: string, tangents: readonly (Tangent | undefined)[]): number {
  const sizes = new Set(tangents.filter((tangent) => tangent !== undefined).map((tangent) => tangent.shape[0]!));
  const [size] = sizes;
  if (size === undefined || sizes.size > 1) {
    const got = size === undefined ? 'none' : [...sizes].join(' and ');
    throw new FrugalError(
      'DIRECTIONS',
      `${name}: the tangents must have one leading axis K of equal size, got ${got}.`,
    );
  }
  return size;
}

/** Seeds of a pass: the leaves that have a tangent. */
export function seedsOf(leaves: readonly tf.Tensor[], tangents: readonly (Tangent | undefined)[]): Seed[] {
  return leaves.flatMap((leaf, i) => (tangents[i] === undefined ? [] : [[leaf, tangents[i]] as const]));
}
