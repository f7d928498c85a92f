import type { AnyModule } from '@frugal/nn';
import { FrugalError, type Staged, type Tree } from '@frugal/tensor';
import { type Link, linksOf } from './chain.ts';
import { type LayerMakers, planOf, rebuild, replanParams } from './rebuild.ts';
import { removableUnits } from './removable.ts';
import type { KeptUnits } from './units.ts';

/** Options of `compact`. */
export interface CompactOptions {
  /** The makers of layers: `import * as nn from '@frugal/nn'`. */
  nn: LayerMakers;
  /**
   * The units that stay, by layer path. Default: all except those that change nothing: no incoming weight and no bias, or
   * no outgoing weight.
   */
  kept?: KeptUnits;
}

/** A smaller model. */
export interface Compacted<P extends Tree = Tree> {
  /** A model of the same form with fewer units. */
  readonly model: Staged<P>;
  /** Its parameters; the caller owns them. */
  readonly params: P;
  /** Units of each layer that stayed. */
  readonly kept: KeptUnits;
}

/**
 * Cuts units out of a model: fewer neurons and channels, really smaller matrices, the same output.
 *
 * Equal to the model with the other units masked to zero (`unitMasks`), up to the order of summation. Of a model that was
 * pruned weight by weight, it removes what became unreachable.
 *
 * @param model A chain of `@frugal/nn` layers (`mlp`, `lenet300`, `lenet5`, `sequential`). Other modules in it stay as they are.
 * @param params Its parameters; they stay the caller's.
 * @throws {FrugalError} `NOT_PRUNABLE` if there are no two layers to cut between, `BAD_OPTION` for units that do not exist.
 */
export async function compact<P extends Tree>(
  model: Staged<P>,
  params: P,
  options: CompactOptions,
): Promise<Compacted<P>> {
  const links = linksOf(model as unknown as AnyModule);
  const kept = options.kept ?? (await removableUnits(links, params));
  checkKept(links, kept);
  const plan = planOf(links, kept, options.nn);
  const rebuilt = rebuild(model as unknown as AnyModule, '', plan);
  return { model: rebuilt as unknown as Staged<P>, params: replanParams(params, plan), kept };
}

function checkKept(links: readonly Link[], kept: KeptUnits): void {
  const nodes = new Map(links.map(({ from }) => [from.path, from]));
  for (const [path, units] of Object.entries(kept)) {
    const node = nodes.get(path);
    const rising = units.every((unit, i) => Number.isInteger(unit) && unit >= 0 && (i === 0 || unit > units[i - 1]!));
    if (node !== undefined && rising && units.length > 0 && units.at(-1)! < node.units) continue;
    const got = node === undefined ? `those are ${[...nodes.keys()].join(', ')}` : `got [${units.slice(0, 8)}]`;
    throw new FrugalError(
      'BAD_OPTION',
      `kept: '${path}' must be a layer whose units can be cut, with ascending indices of at least one unit; ${got}.`,
    );
  }
}
