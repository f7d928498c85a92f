import type { Lesson } from '@frugal/example-mnist';
import { FrugalError } from '@frugal/tensor';
import { type LearnOptions, learn, type Method } from './methods.ts';

/** Half decades. */
const RATES = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1];

/** A rate and the validation accuracies that chose it. */
export interface Choice {
  readonly rate: number;
  readonly tried: ReadonlyMap<number, number>;
}

/**
 * The rate at which a method learns most, by whole short runs judged on validation images: from the method's own rate a
 * half decade up or down for as long as that helps. The test images are not looked at.
 */
export async function chooseRate(method: Method, data: Lesson, options: LearnOptions): Promise<Choice> {
  const tried = new Map<number, number>();
  const accuracyAt = async (i: number): Promise<number> => {
    const rate = RATES[i];
    if (rate === undefined) return 0;
    const known = tried.get(rate);
    if (known !== undefined) return known;
    const accuracy = await validate({ ...method, peak: rate }, data, options);
    tried.set(rate, accuracy);
    return accuracy;
  };
  let best = RATES.indexOf(method.peak);
  if (best < 0) throw new Error(`The rate of '${method.name}' must be one of ${RATES}, got ${method.peak}.`);
  for (const direction of [-1, 1]) {
    while ((await accuracyAt(best + direction)) > (await accuracyAt(best))) best += direction;
  }
  return { rate: RATES[best]!, tried };
}

/** Accuracy on the validation images; of a run that diverges, 0. */
async function validate(method: Method, data: Lesson, options: LearnOptions): Promise<number> {
  try {
    return (await learn(method, { ...data, test: data.validation }, options)).accuracy;
  } catch (error) {
    if (error instanceof FrugalError && error.code === 'NON_FINITE') return 0;
    throw error;
  }
}
