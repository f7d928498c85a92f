import { FrugalError } from '@frugal/tensor';

/** An argument of this package is out of its range; the message names it, what it got and what it takes. */
export class DataArgumentError extends FrugalError {
  constructor(message: string) {
    super('BAD_DATA_ARGUMENT', message);
  }
}

/** Data that should be there is not: a file, an npm package or an answer from a server. */
export class MissingDataError extends FrugalError {
  constructor(message: string, options?: ErrorOptions) {
    super('MISSING_DATA', message, options);
  }
}

/** Refuses what is not an integer of at least `least`. */
export function checkCount(name: string, value: number, least = 1): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new DataArgumentError(`${name} is ${value}. Pass an integer of at least ${least}.`);
}
