import { FrugalError } from '@frugal/tensor';

/** Why a checkpoint cannot be used. */
export type CheckpointFault =
  /** Truncated, changed, or no checkpoint at all. */
  | 'CHECKPOINT_BROKEN'
  /** Another model, optimizer, key or data than the run's. */
  | 'CHECKPOINT_MISMATCH'
  /** None is there, or some are and nobody said what to do with them. */
  | 'CHECKPOINT_STORE';

/** A checkpoint that cannot be used; `code` says why. */
export class CheckpointError extends FrugalError {
  declare readonly code: CheckpointFault;

  constructor(code: CheckpointFault, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
