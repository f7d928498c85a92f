import { FrugalError, paddedSize } from '@frugal/tensor';
import { checkNumber } from './check.ts';
import type { Selection } from './router.ts';

/** Which token each expert computes, sorted by expert: all that the sparse execution needs to know. Host data only. */
export interface DispatchPlan {
  readonly tokens: number;
  readonly experts: number;
  /** The token of each pair that is computed; by expert, then by token. */
  readonly rows: Int32Array;
  /** token · experts + expert of each pair, in the same order. */
  readonly slots: Int32Array;
  /** The factor of each pair, in the same order. */
  readonly gates: Float32Array;
  /** The pair after the last of each expert [experts]. */
  readonly ends: readonly number[];
  /** All pairs that the router chose, dropped ones included, ascending. */
  readonly chosen: Int32Array;
  /** Where pairs are padded: the rows that every expert computes, its own first; nobody uses what comes of the others. */
  readonly rowsPerExpert?: number;
}

/** A limit on the pairs of an expert. */
export interface Capacity {
  /** An expert takes at most ⌈factor · chosen pairs ÷ experts⌉. Switch: 1.25 in training, 2 in evaluation. */
  readonly factor: number;
  /** Who stays where there are too many: the first tokens (default, as Switch), or those with the largest gates (arXiv 2106.05974). */
  readonly keep?: 'first' | 'largest';
}

/** Options of `planDispatch`. */
export interface PlanDispatchOptions {
  readonly tokens: number;
  readonly experts: number;
  /** Default none: dropless. */
  readonly capacity?: Capacity | undefined;
  /** Whether every expert computes as many rows: the capacity, without one the next power of two of the largest load. Default false. */
  readonly pad?: boolean | undefined;
}

/**
 * Sorts chosen pairs by expert (a counting sort, stable in the tokens) and drops what exceeds the capacity.
 *
 * @param selection What `router.select` returned.
 * @throws {FrugalError} `BAD_SELECTION` if slots are out of range, not ascending, or not as many as gates.
 */
export function planDispatch(selection: Selection, options: PlanDispatchOptions): DispatchPlan {
  const { tokens, experts, capacity, pad = false } = options;
  const { slots, gates } = selection;
  checkSelection(selection, tokens * experts);
  const limit = capacity === undefined ? undefined : limitOf(selection, experts, capacity);
  const stays = limit === undefined ? undefined : kept(selection, experts, limit, capacity?.keep);
  const ends = new Array<number>(experts).fill(0);
  for (let i = 0; i < slots.length; i++) if (stays === undefined || stays[i] === 1) ends[slots[i]! % experts]!++;
  const next = new Int32Array(experts);
  const rowsPerExpert = pad ? (limit ?? paddedSize(Math.max(...ends))) : undefined;
  let total = 0;
  for (let e = 0; e < experts; e++) {
    next[e] = total;
    total += ends[e]!;
    ends[e] = total;
  }
  const plan = {
    rows: new Int32Array(total),
    slots: new Int32Array(total),
    gates: new Float32Array(total),
  };
  for (let i = 0; i < slots.length; i++) {
    if (stays !== undefined && stays[i] === 0) continue;
    const slot = slots[i]!;
    const expert = slot % experts;
    const at = next[expert]!++;
    plan.rows[at] = (slot - expert) / experts;
    plan.slots[at] = slot;
    plan.gates[at] = gates[i]!;
  }
  return { tokens, experts, ...plan, ends, chosen: slots, ...(rowsPerExpert !== undefined && { rowsPerExpert }) };
}

function checkSelection({ slots, gates }: Selection, size: number): void {
  if (gates.length !== slots.length) {
    throw new FrugalError(
      'BAD_SELECTION',
      `A selection needs a gate for each of its ${slots.length} slots, got ${gates.length}.`,
    );
  }
  let before = -1;
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i]!;
    if (slot <= before || slot >= size) {
      const rule = `slots[${i}] must be above ${before} and below tokens · experts = ${size}`;
      throw new FrugalError('BAD_SELECTION', `${rule}, got ${slot}: slots ascend, each pair stands once.`);
    }
    before = slot;
  }
}

function limitOf({ slots }: Selection, experts: number, { factor }: Capacity): number {
  checkNumber('capacity.factor', factor, { min: 0 });
  return Math.ceil((factor * slots.length) / experts);
}

/** 1 for the pairs that fit into the capacity of their expert. */
function kept({ slots, gates }: Selection, experts: number, limit: number, keep: Capacity['keep']): Uint8Array {
  const order = Array.from(slots.keys());
  if (keep === 'largest') order.sort((a, b) => gates[b]! - gates[a]! || a - b);
  const count = new Int32Array(experts);
  const stays = new Uint8Array(slots.length);
  for (const i of order) if (count[slots[i]! % experts]!++ < limit) stays[i] = 1;
  return stays;
}
