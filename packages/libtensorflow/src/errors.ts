import { FrugalError } from '@frugal/tensor';

/** What can go wrong here; stable, for programs that react to it. */
export type LibtensorflowFault =
  | 'UNSUPPORTED_PLATFORM'
  | 'NO_TFJS_NODE'
  | 'NO_PYTHON'
  | 'NO_PIP'
  | 'NOT_IN_PYTHON'
  | 'DOWNLOAD_FAILED'
  | 'BAD_WHEEL'
  | 'NO_COMPILER'
  | 'COMPILE_FAILED'
  | 'DISK_FULL'
  | 'NOT_WRITABLE'
  | 'PROOF_FAILED'
  | 'LOCKED'
  | 'NOT_SET_UP'
  | 'DAMAGED'
  | 'TWO_CORES'
  | 'NOT_STARTED'
  | 'NO_GPU'
  | 'BAD_ARGUMENT';

/** Something that TensorFlow needs is missing or broken. `message` says what, `fix` what to do about it. */
export class LibtensorflowError extends FrugalError {
  declare readonly code: LibtensorflowFault;
  /** What is wrong, in a sentence. */
  readonly reason: string;
  /** What to do next, in a sentence. */
  readonly fix: string;

  constructor(code: LibtensorflowFault, reason: string, fix: string, options?: ErrorOptions) {
    super(code, `${reason} ${fix}`, options);
    this.reason = reason;
    this.fix = fix;
  }
}
