import type { Tensor } from '@tensorflow/tfjs-core';
import type { Tree } from '../seams/index.ts';
import { TreeMismatchError, treeEntries, treeUnflatten } from './tree.ts';

type Node = Map<string, Node> | Tensor;

function insert(root: Map<string, Node>, path: string, leaf: Tensor): void {
  const names = path.split('.');
  const last = names.pop()!;
  let node = root;
  for (const [i, name] of names.entries()) {
    let child = node.get(name);
    if (child === undefined) {
      child = new Map();
      node.set(name, child);
    }
    if (!(child instanceof Map)) {
      throw new TreeMismatchError(names.slice(0, i + 1).join('.'), `it is a tensor, so '${path}' cannot be below it.`);
    }
    node = child;
  }
  if (node.has(last)) throw new TreeMismatchError(path, 'it occurs twice, or is a tensor and a subtree at once.');
  node.set(last, leaf);
}

function build(node: Node, path: string): Tree {
  if (!(node instanceof Map)) return node;
  const children = [...node].map(([name, child]): [string, Tree] => {
    const childPath = path === '' ? name : `${path}.${name}`;
    if (name === '__proto__') throw new TreeMismatchError(childPath, "no entry may be called '__proto__'.");
    return [name, build(child, childPath)];
  });
  const indices = new Map(children);
  const isArray = children.every((_, i) => indices.has(String(i)));
  return isArray ? children.map((_, i) => indices.get(String(i))!) : Object.fromEntries(children);
}

/**
 * The tree that `treeEntries` gave these paths for: `{'blocks.0.w': t}` becomes `{blocks: [{w: t}]}`.
 *
 * Names that are exactly 0 … n-1 make an array. Empty subtrees have no paths, so they are lost, and an array with one
 * inside comes back as an object: with `like` at hand, use `treeRestore`.
 *
 * @throws {TreeMismatchError} If a path occurs twice or leads through a tensor.
 */
export function treeFromEntries(entries: Iterable<readonly [path: string, leaf: Tensor]>): Tree {
  const list = [...entries];
  if (list.length === 1 && list[0]![0] === '') return list[0]![1];
  const root = new Map<string, Node>();
  for (const [path, leaf] of list) insert(root, path, leaf);
  return root.size === 0 ? {} : build(root, '');
}

/**
 * A tree of the structure of `like` with leaves taken by path, e.g. parameters from a file.
 *
 * @throws {TreeMismatchError} If a path is missing or left over, or a shape or dtype differs; names the first place.
 */
export function treeRestore<T extends Tree>(like: T, entries: Iterable<readonly [path: string, leaf: Tensor]>): T {
  const byPath = new Map(entries);
  const leaves = treeEntries(like).map(([path, expected]) => {
    const leaf = byPath.get(path);
    if (leaf === undefined) throw new TreeMismatchError(path, 'missing among the entries.');
    if (leaf.dtype !== expected.dtype || leaf.shape.join() !== (expected as Tensor).shape.join()) {
      const [want, got] = [expected as Tensor, leaf].map(({ dtype, shape }) => `${dtype} [${shape}]`);
      throw new TreeMismatchError(path, `expected ${want}, got ${got}.`);
    }
    byPath.delete(path);
    return leaf;
  });
  const surplus = byPath.keys().next();
  if (surplus.done !== true) throw new TreeMismatchError(surplus.value, 'among the entries, but not in the tree.');
  return treeUnflatten(like, leaves);
}
