import { FrugalError, foldIn, type Stage, type Staged, type Tree } from '@frugal/tensor';
import type { AnyModule, ParamsOf } from './params.ts';
import type { Layer } from './spec.ts';
import { makeStage, staged } from './stages.ts';

/** Children by position or by name. */
export type Children = readonly AnyModule[] | Readonly<Record<string, AnyModule>>;

/** The tree of `sequential`: the children's trees at their positions or names. */
export type SequentialParams<C extends Children> = { readonly [K in keyof C]: ParamsOf<C[K]> };

/** A chain of modules, each of which is a stage. */
export type Sequential<C extends Children> = Staged<SequentialParams<C> & Tree> & Layer<SequentialParams<C> & Tree>;

/**
 * A chain: the output of each child is the input of the next.
 *
 * A list gives a tree by position (`'0.weight'`), an object one by name (`'fc1.weight'`); its static type follows from the
 * children's. Child i has the key `foldIn(key, i)`, in `init` as in `apply`.
 *
 * @throws {FrugalError} For a name that looks like a number (JavaScript would reorder it) or contains a dot.
 */
export function sequential<const C extends Children>(children: C): Sequential<C> {
  const byPosition = Array.isArray(children);
  const entries = Object.entries(children) as [string, AnyModule][];
  for (const [name] of byPosition ? [] : entries) {
    if (/^\d+$/.test(name) || name.includes('.') || name === '') {
      throw new FrugalError('BAD_OPTION', `sequential: '${name}' is no usable name. Take a word, or pass a list.`);
    }
  }
  type P = SequentialParams<C> & Tree;
  const at = (all: P, name: string): Tree => (all as Record<string, Tree>)[name]!;
  const stages = entries.map(
    ([name, module], index): Stage<P> =>
      makeStage({
        name,
        index,
        params: (all) => at(all, name),
        run: (all, x, ctx) => module.apply(at(all, name), x, ctx),
      }),
  );
  const model = staged<P>((key) => {
    const trees = entries.map(([name, module], i) => [name, module.init(foldIn(key, i))] as const);
    return (byPosition ? trees.map(([, tree]) => tree) : Object.fromEntries(trees)) as P;
  }, stages);
  return { ...model, spec: { kind: 'sequential', children: entries } };
}
