import { FrugalError } from '@frugal/tensor';

/** What a number may be; bounds are inclusive unless `exclusive`. */
interface Range {
  min?: number;
  max?: number;
  /** Neither bound itself is allowed. */
  exclusive?: boolean;
  integer?: boolean;
}

/**
 * Returns `value` where it is a finite number in range.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT`, naming the argument, what it got and what it takes.
 */
export function checkNumber(name: string, value: number, range: Range = {}): number {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, exclusive = false, integer = false } = range;
  const inside = exclusive ? value > min && value < max : value >= min && value <= max;
  if (typeof value === 'number' && Number.isFinite(value) && inside && (!integer || Number.isInteger(value)))
    return value;
  const bounds = [
    Number.isFinite(min) ? `${exclusive ? '>' : '≥'} ${min}` : '',
    Number.isFinite(max) ? `${exclusive ? '<' : '≤'} ${max}` : '',
  ].filter(Boolean);
  const wanted = [`a finite ${integer ? 'integer' : 'number'}`, ...bounds].join(' ');
  throw new FrugalError('INVALID_ARGUMENT', `${name} must be ${wanted}, got ${String(value)}.`);
}
