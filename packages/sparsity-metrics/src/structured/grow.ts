import type { AnyModule } from '@frugal/nn';
import {
  FrugalError,
  fillUniform,
  foldIn,
  type Key,
  type Staged,
  type Tree,
  treeDispose,
  treeEntries,
  treeUnflatten,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { joinPath, type Link, linksOf } from './chain.ts';
import { type LayerMakers, planOf, rebuild, replanParams } from './rebuild.ts';

/** Options of `growUnits`. */
export interface GrowUnitsOptions {
  /** The makers of layers: `import * as nn from '@frugal/nn'`. */
  nn: LayerMakers;
  /** One key, one use. */
  key: Key;
  /**
   * Where units come from. `'split'` (default): an old one is doubled, and each weight that reads it shared out at random, so that the two part ways
   * in training (Net2Net, arXiv 1511.05641, without its noise). `'new'`: fresh incoming weights, and none lead out yet.
   */
  how?: 'split' | 'new';
}

/** A larger model. */
export interface Grown<P extends Tree = Tree> {
  /** A model of the same form with more units. */
  readonly model: Staged<P>;
  /** Its parameters; the caller owns them. */
  readonly params: P;
}

/**
 * Adds units to a model without changing what it says: to teach a small net first and let it grow.
 *
 * @param model As of `compact`: a chain of `@frugal/nn` layers.
 * @param params Its parameters; they stay the caller's.
 * @param units How many to add, by layer path: `{ fc1: 20 }`.
 * @throws {FrugalError} `NOT_PRUNABLE` if there are no two layers to grow between; `BAD_OPTION` for other layers, or a number that is no integer of
 *   at least 0.
 */
export async function growUnits<P extends Tree>(
  model: Staged<P>,
  params: P,
  units: Readonly<Record<string, number>>,
  { nn, key, how = 'split' }: GrowUnitsOptions,
): Promise<Grown<P>> {
  const links = linksOf(model as unknown as AnyModule);
  const growing = new Map(links.map((link) => [link.from.path, link]));
  const wanted: Record<string, readonly number[]> = {};
  for (const [i, [path, count]] of Object.entries(units).entries()) {
    const link = growing.get(path);
    if (link === undefined || !(Number.isInteger(count) && count >= 0)) {
      throw new FrugalError(
        'BAD_OPTION',
        `growUnits: units['${path}'] is ${count}; it must be an integer of at least 0, for one of ${[...growing.keys()].join(', ')}.`,
      );
    }
    const old = link.from.units;
    const draws = new Float32Array(count);
    fillUniform(foldIn(foldIn(key, 0), i), draws);
    wanted[path] = [...Array(old).keys(), ...Array.from(draws, (u) => Math.min(old - 1, Math.floor(u * old)))];
  }
  const plan = planOf(links, wanted, nn);
  const grown = rebuild(model as unknown as AnyModule, '', plan) as unknown as Staged<P>;
  const doubled = replanParams(params, plan);
  const fresh = how === 'new' ? grown.init(foldIn(key, 1)) : undefined;
  const some = links.filter(({ from }) => wanted[from.path] !== undefined);
  const leaves = await Promise.all(
    treeEntries(doubled).map(async ([path, leaf], i) => {
      const into = some.find(
        ({ from }) => path === joinPath(from.path, 'weight') || path === joinPath(from.path, 'bias'),
      );
      const outOf = some.find(({ to }) => path === joinPath(to.path, 'weight'));
      if (into === undefined && outOf === undefined) return leaf as tf.Tensor;
      const values = Float32Array.from((await leaf.data()) as Float32Array);
      if (into !== undefined && fresh !== undefined) {
        const others = await treeEntries(fresh)
          .find(([name]) => name === path)![1]
          .data();
        const width = wanted[into.from.path]!.length;
        for (let k = 0; k < values.length; k++) if (k % width >= into.from.units) values[k] = others[k]!;
      }
      if (outOf !== undefined) {
        const width = wanted[outOf.to.path]?.length ?? outOf.to.units;
        share(
          values,
          outOf,
          { units: wanted[outOf.from.path]!, width },
          how === 'new' ? undefined : foldIn(foldIn(key, 2), i),
        );
      }
      const { shape } = leaf;
      leaf.dispose();
      return tf.tensor(values, shape, 'float32');
    }),
  );
  if (fresh !== undefined) treeDispose(fresh);
  return { model: grown, params: treeUnflatten(doubled, leaves) as P };
}

/** Shares each weight that reads a unit out among its copies, at random; without a key the copies get none. */
function share(
  values: Float32Array,
  { from, positions }: Link,
  { units, width }: { units: readonly number[]; width: number },
  key: Key | undefined,
): void {
  const inputs = units.length * positions;
  const draws = new Float32Array(values.length);
  if (key !== undefined) fillUniform(key, draws);
  const copies = Array.from({ length: from.units }, (_, unit) => [...units.keys()].filter((at) => units[at] === unit));
  for (let window = 0; window < values.length / (inputs * width); window++) {
    for (let position = 0; position < positions; position++) {
      for (const [unit, own] of copies.entries()) {
        if (own.length < 2) continue;
        for (let column = 0; column < width; column++) {
          const at = own.map((copy) => ((window * positions + position) * units.length + copy) * width + column);
          // Between a quarter and three quarters for two.
          const parts = at.map((k) => (key === undefined ? 0 : 0.5 + draws[k]!));
          if (key === undefined) parts[own.indexOf(unit)] = 1;
          const sum = parts.reduce((a, b) => a + b);
          for (const [i, k] of at.entries()) values[k]! *= parts[i]! / sum;
        }
      }
    }
  }
}
