import { FrugalError } from '@frugal/tensor';

/** Throws `INVALID_ARGUMENT` unless `value` is a number in [min, max], and whole where asked. */
export function checkNumber(
  name: string,
  value: number,
  { min, max = Number.POSITIVE_INFINITY, whole = false }: { min: number; max?: number; whole?: boolean },
): void {
  if (value >= min && value <= max && value < Number.POSITIVE_INFINITY && (!whole || Number.isInteger(value))) return;
  const kind = whole ? 'an integer' : 'a number';
  const range = max === Number.POSITIVE_INFINITY ? `of at least ${min}` : `between ${min} and ${max}`;
  throw new FrugalError('INVALID_ARGUMENT', `${name} must be ${kind} ${range}, got ${value}.`);
}
