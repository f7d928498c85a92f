import { FrugalError } from '@frugal/tensor';

/** Why a probe found nothing. A failed search is a failure: no probe ever returns its guess instead. */
export type ProbeFault =
  /** The loss or its gradient is NaN or infinite where the search starts. */
  | 'NOT_FINITE'
  /** No step that the search may take changes the loss by more than float32 resolves. */
  | 'FLAT'
  /** No step along the update lowers the loss. */
  | 'NO_DESCENT'
  /** The loss falls as far as the search goes. */
  | 'UNBOUNDED'
  /** The curvature along the update is not positive, so a parabola has no minimum. */
  | 'NOT_CONVEX'
  /** Every rate that was tried diverged. */
  | 'DIVERGED';

/** A probe ended without an answer; `code` says why, the message what to do. */
export class ProbeError extends FrugalError {
  declare readonly code: ProbeFault;

  constructor(code: ProbeFault, message: string) {
    super(code, message);
  }
}

/** @throws {FrugalError} `INVALID_ARGUMENT` unless the number is finite and within the bounds. */
export function checkNumber(
  name: string,
  value: number,
  bounds: { min?: number; max?: number; integer?: boolean; positive?: boolean } = {},
): number {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, integer = false, positive = false } = bounds;
  const kind = integer ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (kind && value >= min && value <= max && (!positive || value > 0)) return value;
  const what = `${positive ? 'a positive' : 'a'} ${integer ? 'whole ' : ''}number`;
  const range = Number.isFinite(min) || Number.isFinite(max) ? ` in [${min}, ${max}]` : '';
  throw new FrugalError('INVALID_ARGUMENT', `${name} must be ${what}${range}, got ${value}.`);
}
