import { type Context, FrugalError } from '@frugal/tensor';
import type { Tensor } from '@tensorflow/tfjs-core';

/** `'dense at blocks.0.fc1'`: how errors name a module. */
export function whereIs(kind: string, ctx: Context | undefined): string {
  return ctx?.path ? `${kind} at '${ctx.path}'` : kind;
}

/** Refuses an input whose rank or last axis is not what the layer was made for. */
export function checkInput(
  kind: string,
  x: Tensor,
  expected: { rank?: number; last?: number },
  ctx: Context | undefined,
): void {
  const { rank, last } = expected;
  const wrongRank = rank !== undefined ? x.rank !== rank : x.rank === 0;
  const wrongLast = last !== undefined && x.shape[x.rank - 1] !== last;
  if (!wrongRank && !wrongLast) return;
  const axes = rank === undefined ? '…, ' : 'any, '.repeat(Math.max(0, rank - 1));
  throw new FrugalError(
    'BAD_SHAPE',
    `${whereIs(kind, ctx)} takes an input of shape [${axes}${last ?? 'any'}], got [${x.shape}]. ` +
      'Reshape the input, or make the layer for this size.',
  );
}

/** Refuses an option that is not a positive integer. */
export function checkPositive(kind: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isInteger(value) || value < 1) {
      throw new FrugalError('BAD_OPTION', `${kind}: ${name} must be a positive integer, got ${value}.`);
    }
  }
}

/** Refuses a dropout rate outside [0, 1). */
export function checkRate(kind: string, rate: number): void {
  if (!(rate >= 0 && rate < 1)) {
    throw new FrugalError('BAD_OPTION', `${kind}: rate is the share to drop, in [0, 1), got ${rate}.`);
  }
}
