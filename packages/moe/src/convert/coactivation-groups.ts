import { FrugalError } from '@frugal/tensor';
import { checkNumber } from '../check.ts';
import { type BalancedGroupsOptions, balancedGroups } from './balanced-groups.ts';

/**
 * Groups of equal size of units that are active on the same tokens: a balanced cut of the graph whose edges count how often
 * two units are active together (the co-activation split of MoEfication, arXiv 2110.01786).
 *
 * Starts at balanced k-means over the units' rows of that graph, then swaps the pair of units that keeps most inside of the groups, as long
 * as that gains anything (Kernighan and Lin, where the paper uses METIS).
 *
 * @param activity [tokens, units] in rows; above 0 is active.
 * @param groups Divides the number of units.
 * @returns The units of each group, ascending.
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function coactivationGroups(
  activity: Float32Array,
  units: number,
  groups: number,
  options: BalancedGroupsOptions,
): number[][] {
  checkNumber('units', units, { min: 1, integer: true });
  if (activity.length === 0 || activity.length % units !== 0) {
    const got = `${activity.length} values for ${units} units`;
    throw new FrugalError('INVALID_ARGUMENT', `activity must be [tokens, units] with at least one token, got ${got}.`);
  }
  const edges = countTogether(activity, units);
  const start = balancedGroups(Float32Array.from(edges), units, groups, options);
  const owner = new Int32Array(units);
  for (const [g, members] of start.entries()) for (const unit of members) owner[unit] = g;
  refine(edges, owner, groups);
  return start.map((_, g) => Array.from(owner.keys()).filter((unit) => owner[unit] === g));
}

/** Tokens on which two units are both active, as shares of the geometric mean of their own; 0 on the diagonal. */
function countTogether(activity: Float32Array, units: number): Float64Array {
  const edges = new Float64Array(units * units);
  const active = new Int32Array(units);
  for (let from = 0; from < activity.length; from += units) {
    let count = 0;
    for (let u = 0; u < units; u++) if (activity[from + u]! > 0) active[count++] = u;
    for (let a = 0; a < count; a++) {
      const row = active[a]! * units;
      for (let b = 0; b < count; b++) edges[row + active[b]!]!++;
    }
  }
  const own = Float64Array.from({ length: units }, (_, u) => Math.max(1, edges[u * units + u]!));
  return edges.map((count, i) => {
    const [a, b] = [Math.floor(i / units), i % units];
    return a === b ? 0 : count / Math.sqrt(own[a]! * own[b]!);
  });
}

/** Swaps units between groups while that adds weight inside; at most ten rounds over all units. */
function refine(edges: Float64Array, owner: Int32Array, groups: number): void {
  const units = owner.length;
  // Weight of each unit's edges into each group.
  const into = new Float64Array(units * groups);
  for (let a = 0; a < units; a++) {
    for (let b = 0; b < units; b++) into[a * groups + owner[b]!]! += edges[a * units + b]!;
  }
  const gain = (a: number, b: number): number =>
    into[a * groups + owner[b]!]! -
    into[a * groups + owner[a]!]! +
    into[b * groups + owner[a]!]! -
    into[b * groups + owner[b]!]! -
    2 * edges[a * units + b]!;
  for (let round = 0, moved = true; moved && round < 10; round++) {
    moved = false;
    for (let a = 0; a < units; a++) {
      let [best, most] = [-1, 1e-9];
      for (let b = 0; b < units; b++) {
        if (owner[b] === owner[a]) continue;
        const value = gain(a, b);
        if (value > most) [best, most] = [b, value];
      }
      if (best < 0) continue;
      const [from, to] = [owner[a]!, owner[best]!];
      for (let u = 0; u < units; u++) {
        const change = edges[u * units + best]! - edges[u * units + a]!;
        into[u * groups + from]! += change;
        into[u * groups + to]! -= change;
      }
      [owner[a], owner[best]] = [to, from];
      moved = true;
    }
  }
}
