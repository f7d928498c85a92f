import { FrugalError, type Key, randomPermutation } from '@frugal/tensor';
import { checkNumber } from '../check.ts';

/** Options of `balancedGroups`. */
export interface BalancedGroupsOptions {
  readonly key: Key;
  /** Rounds of assigning and averaging at most. Default 20. */
  readonly iterations?: number;
}

/**
 * k-means with groups of equal size: which points belong together (MoEfication, arXiv 2110.01786).
 *
 * Each round takes the nearest free pair of a point and a centre, again and again (greedy, where the paper solves the
 * assignment exactly), then moves the centres to the means. Starts at points drawn by the key.
 *
 * @param points [count, size] in rows.
 * @param groups Divides the number of points.
 * @returns The points of each group, ascending.
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function balancedGroups(
  points: Float32Array,
  size: number,
  groups: number,
  options: BalancedGroupsOptions,
): number[][] {
  const count = points.length / size;
  const each = count / groups;
  checkNumber('groups', groups, { min: 1, integer: true });
  if (!Number.isInteger(count) || !Number.isInteger(each)) {
    throw new FrugalError('INVALID_ARGUMENT', `groups must divide the number of points, ${count}, got ${groups}.`);
  }
  const first = Array.from(randomPermutation(options.key, count)).slice(0, groups);
  let centres = first.map((p) => Float64Array.from(points.subarray(p * size, (p + 1) * size)));
  let owner = new Int32Array(count).fill(-1);
  for (let round = 0; round < (options.iterations ?? 20); round++) {
    const next = assign(points, size, centres, each);
    const moved = next.some((group, p) => group !== owner[p]);
    owner = next as typeof owner;
    if (!moved) break;
    centres = centres.map(() => new Float64Array(size));
    for (let p = 0; p < count; p++) {
      const centre = centres[owner[p]!]!;
      for (let i = 0; i < size; i++) centre[i]! += points[p * size + i]! / each;
    }
  }
  return centres.map((_, group) => Array.from(owner.keys()).filter((p) => owner[p] === group));
}

function assign(points: Float32Array, size: number, centres: readonly Float64Array[], each: number): Int32Array {
  const count = points.length / size;
  const groups = centres.length;
  const distance = new Float64Array(count * groups);
  for (let pair = 0; pair < distance.length; pair++) {
    const [p, centre] = [Math.floor(pair / groups), centres[pair % groups]!];
    for (let i = 0; i < size; i++) distance[pair]! += (points[p * size + i]! - centre[i]!) ** 2;
  }
  const order = Array.from(distance.keys()).sort((a, b) => distance[a]! - distance[b]! || a - b);
  const owner = new Int32Array(count).fill(-1);
  const taken = new Int32Array(groups);
  for (const pair of order) {
    const [p, group] = [Math.floor(pair / groups), pair % groups];
    if (owner[p]! >= 0 || taken[group]! >= each) continue;
    owner[p] = group;
    taken[group]!++;
  }
  return owner;
}
