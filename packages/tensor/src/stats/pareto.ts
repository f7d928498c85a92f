import { FrugalError } from '../errors.ts';

/** A point: one number per objective. */
export type Objectives = readonly number[];

/** Options of `paretoFront` and `hypervolume`. */
export interface ParetoOptions {
  /** Whether less or more is better, per objective. Default: less, everywhere. */
  readonly directions?: readonly ('min' | 'max')[];
}

/** The points with signs such that less is better; all of the same length, without NaN. */
function minimised(points: readonly Objectives[], { directions }: ParetoOptions, dimensions: number): number[][] {
  if (directions !== undefined && directions.length !== dimensions) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `directions must be one per objective, ${dimensions}, got ${directions.length}.`,
    );
  }
  return points.map((point, i) => {
    if (point.length !== dimensions || point.some(Number.isNaN)) {
      throw new FrugalError('BAD_ARGUMENT', `points[${i}] must be ${dimensions} numbers, got [${point}].`);
    }
    return point.map((value, d) => (directions?.[d] === 'max' ? -value : value));
  });
}

const dominates = (a: Objectives, b: Objectives): boolean =>
  a.every((value, d) => value <= b[d]!) && a.some((value, d) => value < b[d]!);

/** By the first objective, then the second, … */
function lexicographic(a: Objectives, b: Objectives): number {
  const d = a.findIndex((value, i) => value !== b[i]);
  return d < 0 ? 0 : a[d]! - b[d]!;
}

/**
 * Which points no other point beats: at least as good in every objective and better in one.
 *
 * @param points All with the same number of objectives.
 * @returns Indices into `points`, best first objective first; equal points are all kept.
 * @throws {FrugalError} `BAD_ARGUMENT` if lengths differ or there is a NaN.
 */
export function paretoFront(points: readonly Objectives[], options: ParetoOptions = {}): number[] {
  if (points.length === 0) return [];
  const costs = minimised(points, options, points[0]!.length);
  const sorted = costs.map((_, i) => i).sort((a, b) => lexicographic(costs[a]!, costs[b]!) || a - b);
  const front: number[] = [];
  for (const i of sorted) {
    // Whatever dominates a point stands before it; with two objectives only the last of the front can.
    const rivals = costs[i]!.length === 2 ? front.slice(-1) : front;
    if (!rivals.some((j) => dominates(costs[j]!, costs[i]!))) front.push(i);
  }
  return front;
}

/**
 * The volume of what a set of points beats, up to a reference point: one number for a whole front, larger is better.
 *
 * Exact, by slicing along the last objective; meant for few objectives. Points that are not better than the reference everywhere count 0.
 *
 * @param reference Worse than the points of interest in every objective.
 * @throws {FrugalError} `BAD_ARGUMENT` if lengths differ or there is a NaN.
 */
export function hypervolume(points: readonly Objectives[], reference: Objectives, options: ParetoOptions = {}): number {
  const [corner] = minimised([reference], options, reference.length);
  const costs = minimised(points, options, reference.length);
  return volume(
    costs.filter((point) => point.every((value, d) => value < corner![d]!)),
    corner!,
  );
}

function volume(points: readonly Objectives[], corner: Objectives): number {
  const last = corner.length - 1;
  if (points.length === 0) return 0;
  if (last === 0) return corner[0]! - Math.min(...points.map((point) => point[0]!));
  const sorted = points.toSorted((a, b) => a[last]! - b[last]!);
  let total = 0;
  let slice: Objectives[] = [];
  for (const [i, point] of sorted.entries()) {
    // Between this point's last objective and the next one's, what all points so far beat is a prism.
    const flat = point.slice(0, last);
    if (!slice.some((other) => other.every((value, d) => value <= flat[d]!))) {
      slice = slice.filter((other) => !dominates(flat, other));
      slice.push(flat);
    }
    const depth = (sorted[i + 1]?.[last] ?? corner[last]!) - point[last]!;
    if (depth > 0) total += depth * volume(slice, corner.slice(0, last));
  }
  return total;
}
