import type { Schedule } from '@frugal/tensor';
import { checkNumber } from '../arguments.ts';

/** A hyperparameter: a number that holds throughout, or a schedule over the steps. */
export type Rate = number | Schedule;

/**
 * A rate as a schedule whose values are checked: a schedule that returns NaN stops the run instead of spoiling it.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT` where the number, or later a value of the schedule, is not finite.
 */
export function toSchedule(name: string, rate: Rate): Schedule {
  if (typeof rate === 'function') return (step) => checkNumber(`${name} at step ${step}`, rate(step));
  const value = checkNumber(name, rate);
  return () => value;
}
