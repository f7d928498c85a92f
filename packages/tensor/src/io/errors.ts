import { FrugalError } from '../errors.ts';

/** What is wrong with a safetensors file, or with what was to be written into one. */
export type SafetensorsFault =
  /** The file ends before what its header announces, or goes on after it. */
  | 'SAFETENSORS_LENGTH'
  /** The header is longer than `maxHeaderBytes`. */
  | 'SAFETENSORS_HEADER_SIZE'
  /** The header is not UTF-8, not JSON, or not of the form that the format asks for. */
  | 'SAFETENSORS_HEADER'
  /** A name occurs twice. */
  | 'SAFETENSORS_DUPLICATE'
  /** A name that may not be used, such as `__proto__`. */
  | 'SAFETENSORS_NAME'
  /** A dtype that tfjs cannot hold, or an impossible conversion. */
  | 'SAFETENSORS_DTYPE'
  /** A shape that is no list of sizes. */
  | 'SAFETENSORS_SHAPE'
  /** Offsets that are negative, overlap, leave holes or do not fit the shape. */
  | 'SAFETENSORS_OFFSETS'
  /** A value that the target dtype cannot hold exactly. */
  | 'SAFETENSORS_VALUE';

/** A file is not a well-formed safetensors file, or something cannot be written as one; `code` says which fault. */
export class SafetensorsError extends FrugalError {
  declare readonly code: SafetensorsFault;

  constructor(code: SafetensorsFault, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
