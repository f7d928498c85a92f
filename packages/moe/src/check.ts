import { FrugalError } from '@frugal/tensor';

/** Throws `INVALID_ARGUMENT` unless `value` is a number in [min, max], and whole where asked. */
export function checkNumber(
  name: string,
  value: number,
  range: { min?: number; max?: number; integer?: boolean } = {},
): void {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, integer = false } = range;
  const fits = Number.isFinite(value) && value >= min && value <= max && (!integer || Number.isInteger(value));
  if (fits) return;
  const kind = integer ? 'an integer' : 'a number';
  const above = Number.isFinite(min) ? ` of at least ${min}` : '';
  const below = Number.isFinite(max) ? `${above === '' ? ' of' : ' and'} at most ${max}` : '';
  throw new FrugalError('INVALID_ARGUMENT', `${name} must be ${kind}${above}${below}, got ${value}.`);
}
