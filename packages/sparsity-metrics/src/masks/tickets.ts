import { type Key, type Tree, treeDispose, treeLeaves } from '@frugal/tensor';
import { applyMasks, type Masks } from './masks.ts';
import { magnitudeMasks, type PruneOptions, randomMasks } from './prune.ts';

/** One round of a search for lottery tickets. */
export interface Ticket<P extends Tree> {
  /** From 0. */
  readonly round: number;
  /** Asked for over all prunable weights. */
  readonly sparsity: number;
  readonly masks: Masks;
  /** The first parameters, or those of an early step, under the masks. */
  readonly start: P;
  /** What became of them. */
  readonly params: P;
}

/** Options of `lotteryTickets`. */
export interface LotteryTicketsOptions<P extends Tree> extends Pick<PruneOptions, 'prunable' | 'scope'> {
  /** Sparsity after each round, rising, e.g. by `geometricSparsity`. */
  sparsities: readonly number[];
  /** What a ticket starts from: the parameters at step 0, or of step k (rewinding, arXiv 1912.05671). They stay the caller's. */
  rewindTo: P;
  /** Trains `start`, whose cut weights must stay zero (`keepPruned`); returns new parameters. */
  train(start: P, masks: Masks, round: number): Promise<P>;
}

/**
 * Searches lottery tickets by iterative magnitude pruning (arXiv 1803.03635): cut, go back to where training began, train, again.
 *
 * What a round yields lives until the next one is asked for: clone what you keep.
 *
 * @param trained The dense net, trained from `rewindTo`; stays the caller's.
 */
export async function* lotteryTickets<P extends Tree>(
  trained: P,
  options: LotteryTicketsOptions<P>,
): AsyncGenerator<Ticket<P>, void, void> {
  const { sparsities, rewindTo, train, prunable, scope } = options;
  const how = { ...(prunable && { prunable }), ...(scope && { scope }) };
  let held: Pick<Ticket<P>, 'masks' | 'start' | 'params'> | undefined;
  try {
    for (const [round, sparsity] of sparsities.entries()) {
      const masks = await magnitudeMasks(held?.params ?? trained, { sparsity }, { ...how, masks: held?.masks ?? {} });
      if (held !== undefined) treeDispose([held.masks, held.start, held.params]);
      held = undefined;
      const start = applyMasks(rewindTo, masks);
      held = { masks, start, params: await train(start, masks, round) };
      yield { round, sparsity, ...held };
    }
  } finally {
    if (held !== undefined) treeDispose([held.masks, held.start, held.params]);
  }
}

/** Masks that cut as many weights of each layer, but others: the control that asks whether it matters which. The caller owns them. */
export async function shuffleMasks(masks: Masks, key: Key): Promise<Masks> {
  const cut = new Map<string, number>();
  for (const [path, mask] of Object.entries(masks)) {
    let zeros = 0;
    for (const value of await mask.data()) if (value === 0) zeros++;
    cut.set(path, zeros);
  }
  if (treeLeaves(masks).length === 0) return {};
  return randomMasks(masks, (path) => ({ count: cut.get(path)! }), { key, scope: 'layer', prunable: () => true });
}
