import { FrugalError } from '@frugal/tensor';
import type { Culprit } from './culprit.ts';

/** What to do about a loss or a gradient that is NaN or infinite. */
export interface GuardOptions {
  /**
   * - `'stop'` (default): the run rejects with a `NonFiniteError`.
   * - `'skip'`: the batch is left out; parameters, optimizer and module state stay as they were.
   * - `'rollback'`: goes back to the last snapshot, and on with the next batch.
   * - `'ignore'`: nothing is checked.
   */
  nonFinite?: 'stop' | 'skip' | 'rollback' | 'ignore';
  /**
   * Check gradients too, not only losses: one pass over all of them per step. Default: for `'skip'` and `'rollback'`.
   * Without it, a bad gradient shows in the next step's loss, when the parameters are spoilt.
   */
  gradients?: boolean;
  /** Steps between the snapshots of `'rollback'`, which take the memory of parameters and optimizer again. Default 100. */
  snapshotEvery?: number;
  /** How often in a row (skip) or in all (rollback) before the run stops after all. Default 10 and 3. */
  limit?: number;
}

/** Guard options with everything decided. */
export type Guard = Required<GuardOptions>;

/** Fills in what was left open. */
export function resolveGuard({ nonFinite = 'stop', gradients, snapshotEvery = 100, limit }: GuardOptions = {}): Guard {
  return {
    nonFinite,
    gradients: nonFinite !== 'ignore' && (gradients ?? nonFinite !== 'stop'),
    snapshotEvery,
    limit: limit ?? (nonFinite === 'rollback' ? 3 : 10),
  };
}

/** What is known about a step that went wrong. */
export interface Finding {
  /** The step that was being made, counted from 1. */
  readonly step: number;
  readonly loss: number;
  /** Parameters whose gradient is not finite. */
  readonly gradients: readonly string[];
  /** Parameters that were not finite before the step. */
  readonly parameters: readonly string[];
  readonly culprit?: Culprit | undefined;
}

function list(paths: readonly string[]): string {
  const some = paths.slice(0, 3).map((path) => `'${path}'`);
  return paths.length > some.length ? `${some.join(', ')} and ${paths.length - some.length} more` : some.join(', ');
}

/** A finding in words: what, at which step, which parameters, which kernel. */
export function describeFinding({ step, loss, gradients, parameters, culprit }: Finding): string {
  const parts = [`the loss at step ${step} is ${loss}`];
  if (gradients.length > 0) parts.push(`the gradient is not finite for ${list(gradients)}`);
  if (parameters.length > 0) {
    parts.push(
      `${list(parameters)} had been spoilt before, by the gradient of an earlier step (guards: { gradients: true } stops there)`,
    );
  }
  if (culprit !== undefined) {
    const { kernel, made, overflow } = culprit;
    const from = overflow === undefined ? '' : `, from infinities that kernel '${overflow}' had made`;
    parts.push(`the first ${made} was made by kernel '${kernel}'${from}`);
  }
  return parts.join('; ');
}

/** A run stopped because a loss or a gradient was NaN or infinite. */
export class NonFiniteError extends FrugalError {
  readonly finding: Finding;

  constructor(finding: Finding, advice: string) {
    super('NON_FINITE', `Training stopped: ${describeFinding(finding)}. ${advice}`);
    this.finding = finding;
  }
}
