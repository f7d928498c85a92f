import { FrugalError } from '../errors.ts';

/** Refuses fewer than `least` numbers, and NaN. */
export function checkNumbers(name: string, values: ArrayLike<number>, least = 1): void {
  if (values.length < least) {
    throw new FrugalError('BAD_ARGUMENT', `${name} must hold at least ${least} numbers, got ${values.length}.`);
  }
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i]!))
      throw new FrugalError('BAD_ARGUMENT', `${name}[${i}] is NaN. Leave missing values out.`);
  }
}

/** Refuses what is not strictly between 0 and 1. */
export function checkLevel(level: number): void {
  if (level > 0 && level < 1) return;
  throw new FrugalError('BAD_ARGUMENT', `level must be in (0, 1), got ${level}. For 95 % pass 0.95.`);
}
