import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { StructuredLeaf, Tree, UpdateTree } from '../seams/index.ts';

/** Two trees that should have had the same structure do not; `path` says where. */
export class TreeMismatchError extends FrugalError {
  readonly path: string;

  constructor(path: string, message: string) {
    super('TREE_MISMATCH', `${path === '' ? 'the root' : `'${path}'`} of the tree: ${message}`);
    this.path = path;
  }
}

/** Whether a node is a tensor. */
export function isTensor(node: unknown): node is tf.Tensor {
  return node instanceof tf.Tensor;
}

/** Whether a node is a structured (not densely stored) leaf. */
export function isStructured(node: unknown): node is StructuredLeaf {
  return typeof node === 'object' && node !== null && typeof (node as StructuredLeaf).materialize === 'function';
}

type AnyTree = Tree | UpdateTree;
type LeafOf<T extends AnyTree> = T extends Tree ? tf.Tensor : tf.Tensor | StructuredLeaf;

function join(path: string, name: string | number): string {
  return path === '' ? String(name) : `${path}.${name}`;
}

function children(node: AnyTree): [string, AnyTree][] {
  return Object.entries(node as Record<string, AnyTree>);
}

function isLeaf(node: AnyTree): node is tf.Tensor | StructuredLeaf {
  return isTensor(node) || isStructured(node);
}

function checkNode(node: unknown, path: string): void {
  if (typeof node !== 'object' || node === null) {
    const got = node === null ? 'null' : typeof node;
    throw new TreeMismatchError(
      path,
      `expected a tensor, an array or an object, got ${got}. Leave absent entries out.`,
    );
  }
}

/**
 * The leaves with their paths, depth first, object entries in insertion order.
 *
 * Paths join names and indices by dots, as in safetensors: `'blocks.0.mlp.weight'`.
 */
export function treeEntries<T extends AnyTree>(tree: T): [path: string, leaf: LeafOf<T>][] {
  const out: [string, LeafOf<T>][] = [];
  const visit = (node: AnyTree, path: string): void => {
    checkNode(node, path);
    if (isLeaf(node)) out.push([path, node as LeafOf<T>]);
    else for (const [name, child] of children(node)) visit(child, join(path, name));
  };
  visit(tree, '');
  return out;
}

/** The leaves of a tree, in the order of `treeEntries`. */
export function treeLeaves<T extends AnyTree>(tree: T): LeafOf<T>[] {
  const out: LeafOf<T>[] = [];
  const visit = (node: AnyTree): void => {
    // Paths are built only where something is wrong: this throws, and says where.
    if (typeof node !== 'object' || node === null) treeEntries(tree);
    else if (isLeaf(node)) out.push(node as LeafOf<T>);
    else for (const child of Object.values(node)) visit(child as AnyTree);
  };
  visit(tree);
  return out;
}

/**
 * A tree of the same structure with `leaves` in the order of `treeEntries`.
 *
 * @throws {TreeMismatchError} If the number of leaves differs.
 */
export function treeUnflatten<T extends AnyTree, L>(like: T, leaves: readonly L[]): T {
  let next = 0;
  const build = (node: AnyTree): unknown => {
    if (isLeaf(node)) return leaves[next++];
    if (Array.isArray(node)) return node.map(build);
    return Object.fromEntries(children(node).map(([name, child]) => [name, build(child)]));
  };
  const built = build(like);
  if (next !== leaves.length) throw new TreeMismatchError('', `it has ${next} leaves, got ${leaves.length}.`);
  return built as T;
}

/**
 * Applies `f` to each leaf and, at the same place, to the leaves of further trees of the same structure.
 *
 * @throws {TreeMismatchError} If a further tree has another structure; names the first place.
 */
export function treeMap<T extends AnyTree>(
  f: (leaf: LeafOf<T>, ...rest: tf.Tensor[]) => tf.Tensor,
  tree: T,
  ...rest: AnyTree[]
): T extends Tree ? T : Tree {
  const columns = rest.map((other) => {
    assertSameStructure(tree, other);
    return treeLeaves(other);
  });
  const leaves = treeLeaves(tree).map((leaf, i) => f(leaf, ...columns.map((column) => column[i] as tf.Tensor)));
  return treeUnflatten(tree, leaves) as never;
}

/**
 * Checks that two trees have the same nesting and names (not shapes).
 *
 * @throws {TreeMismatchError} At the first difference.
 */
export function assertSameStructure(expected: AnyTree, actual: AnyTree, path = ''): void {
  checkNode(expected, path);
  checkNode(actual, path);
  if (isLeaf(expected) || isLeaf(actual)) {
    if (isLeaf(expected) !== isLeaf(actual)) {
      throw new TreeMismatchError(
        path,
        `expected a ${isLeaf(expected) ? 'leaf, got a subtree' : 'subtree, got a leaf'}.`,
      );
    }
    return;
  }
  const names = Object.keys(expected);
  const got = Object.keys(actual);
  const missing = names.find((name) => !got.includes(name));
  const surplus = got.find((name) => !names.includes(name));
  if (missing !== undefined) throw new TreeMismatchError(join(path, missing), 'missing in the second tree.');
  if (surplus !== undefined) throw new TreeMismatchError(join(path, surplus), 'not in the first tree.');
  if (names.some((name, i) => got[i] !== name)) {
    throw new TreeMismatchError(path, `the entries stand in another order: [${names}] and [${got}].`);
  }
  for (const name of names) {
    assertSameStructure(
      (expected as Record<string, AnyTree>)[name]!,
      (actual as Record<string, AnyTree>)[name]!,
      join(path, name),
    );
  }
}

/** New tensors with the same values; a leaf shares memory with its original until either is written in place. */
export function treeClone<T extends Tree>(tree: T): T {
  return treeMap((leaf) => leaf.clone(), tree) as T;
}

/** Zeros of the same shapes, float32. */
export function treeZerosLike<T extends Tree>(tree: T): T {
  return treeMap((leaf) => tf.zeros(leaf.shape), tree) as T;
}

/** Frees every leaf; leaves that are disposed already are left alone. */
export function treeDispose(tree: AnyTree): void {
  for (const leaf of treeLeaves(tree)) {
    if (isStructured(leaf)) leaf.dispose();
    else if (!leaf.isDisposed) leaf.dispose();
  }
}

/** Numbers in all leaves together. */
export function treeSize(tree: Tree): number {
  return treeLeaves(tree).reduce((sum, leaf) => sum + leaf.size, 0);
}

/** A dense tree: structured leaves are materialised, tensors cloned. The caller owns the result. */
export function treeMaterialize(tree: UpdateTree): Tree {
  const leaves = treeLeaves(tree).map((leaf) => (isStructured(leaf) ? leaf.materialize() : leaf.clone()));
  return treeUnflatten(tree, leaves) as Tree;
}
