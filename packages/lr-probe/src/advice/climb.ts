/** Measures the loss at a rung of the ladder of rates: lower is better, infinite where the run diverged. */
export type Rung = (rung: number) => Promise<number>;

/** Options of `climb`. */
export interface ClimbOptions {
  /** Rungs beyond the next that are looked at before the search believes in a minimum. Default 1. */
  readonly lookAhead?: number;
  /** Whether a rung is so much worse than the best that none beyond it is looked at. Default: never. */
  readonly hopeless?: (loss: number, best: number) => boolean;
  /** Rungs that may be measured. Default 16. */
  readonly limit?: number;
}

/**
 * Looks for the lowest rung near `start`, measuring each rung at most once.
 *
 * Climbs while the next rung, or one of `lookAhead` more above it (a small hump there is common), is lower; then
 * descends while the rung below is. Rungs above one that diverged are not measured: they diverge too.
 *
 * @returns The lowest rung measured, undefined where all diverged, and all that were measured, ascending.
 */
export async function climb(
  measure: Rung,
  start: number,
  { lookAhead = 1, hopeless = () => false, limit = 16 }: ClimbOptions = {},
): Promise<{ pick: number | undefined; measured: readonly { rung: number; loss: number }[] }> {
  const known = new Map<number, number>();
  let ceiling = Number.POSITIVE_INFINITY;
  const at = async (rung: number): Promise<number> => {
    if (rung >= ceiling) return Number.POSITIVE_INFINITY;
    const before = known.get(rung);
    if (before !== undefined) return before;
    if (known.size >= limit) return Number.POSITIVE_INFINITY;
    const loss = await measure(rung);
    known.set(rung, Number.isNaN(loss) ? Number.POSITIVE_INFINITY : loss);
    if (!Number.isFinite(loss)) ceiling = Math.min(ceiling, rung);
    return known.get(rung)!;
  };

  const lowestAbove = async (here: number): Promise<number> => {
    let [best, lowest] = [here, await at(here)];
    for (let rung = here + 1; rung <= here + 1 + lookAhead; rung++) {
      const loss = await at(rung);
      if (loss < lowest) [best, lowest] = [rung, loss];
      else if (hopeless(loss, lowest)) break;
    }
    return best;
  };

  let here = start;
  while (known.size < limit && !Number.isFinite(await at(here))) here--;
  for (let next = await lowestAbove(here); next !== here; next = await lowestAbove(here)) here = next;
  while ((await at(here - 1)) < (await at(here))) here--;
  const measured = [...known].map(([rung, loss]) => ({ rung, loss })).sort((a, b) => a.rung - b.rung);
  return { pick: Number.isFinite(known.get(here) ?? Number.NaN) ? here : undefined, measured };
}
