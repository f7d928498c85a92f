import { FrugalError } from '@frugal/tensor';

/** @throws {FrugalError} `BAD_ARGUMENT` unless `value` is an integer of at least `min`. */
export function checkCount(name: string, value: number, min = 1): void {
  if (Number.isInteger(value) && value >= min) return;
  throw new FrugalError('BAD_ARGUMENT', `${name} must be an integer of at least ${min}, got ${String(value)}.`);
}
