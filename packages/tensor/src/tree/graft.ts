import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { Tree } from '../seams/index.ts';
import { isTensor } from './tree.ts';

type Node = { readonly [name: string]: Tree };

/** Joins a path and a name: `'blocks.0'` and `'mlp'` are `'blocks.0.mlp'`. */
const join = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

function misfit(path: string, wanted: string, got: string): FrugalError {
  const rule = 'The two trees must be alike but for what is replaced.';
  return new FrugalError('BAD_TREE', `treeGraft: at '${path}' there should be ${wanted}, got ${got}. ${rule}`);
}

/**
 * A tree like `like` with the tensors of `from`, but for the places that `replace` fills: trained parameters for a model in
 * which some layers are of another kind.
 *
 * @param replace What stands at a place, new tensors, or undefined to go on with what is below it.
 * @returns New tensors throughout.
 * @throws {FrugalError} `BAD_TREE` where the two do not fit, by path.
 */
export function treeGraft<P extends Tree>(
  like: P,
  from: Tree,
  replace: (like: Tree, from: Tree, path: string) => Tree | undefined,
): P {
  const graft = (fresh: Tree, trained: Tree, path: string): Tree => {
    const replaced = replace(fresh, trained, path);
    if (replaced !== undefined) return replaced;
    if (isTensor(fresh)) {
      if (isTensor(trained) && trained.shape.join() === fresh.shape.join()) return tf.clone(trained);
      throw misfit(path, `a tensor [${fresh.shape}]`, isTensor(trained) ? `one [${trained.shape}]` : 'none');
    }
    if (isTensor(trained)) throw misfit(path, 'a tree', `a tensor [${trained.shape}]`);
    const child = (name: string): Tree => {
      const theirs = (trained as Node)[name];
      if (theirs === undefined) throw misfit(join(path, name), 'something', 'nothing');
      return graft((fresh as Node)[name]!, theirs, join(path, name));
    };
    if (Array.isArray(fresh)) return fresh.map((_, i) => child(String(i)));
    return Object.fromEntries(Object.keys(fresh).map((name) => [name, child(name)]));
  };
  return tf.tidy(() => graft(like, from, '') as tf.TensorContainer) as P;
}

/** The part of a tree at a path like `'blocks.0.mlp'`; undefined where there is none. */
export function treeAt(tree: Tree, path: string): Tree | undefined {
  if (path === '') return tree;
  return path.split('.').reduce<Tree | undefined>((node, name) => (node as Node | undefined)?.[name], tree);
}
