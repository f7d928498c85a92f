import type { GradientTransformation } from '@frugal/tensor';
import type { Rate } from '../schedules/index.ts';

/** Makes the optimizer under test for a learning rate. */
export type MakeOptimizer = (learningRate: Rate) => GradientTransformation;

/** What the checks need to know of an optimizer. */
export interface Settings {
  learningRate: number;
  steps: number;
  /** Learning rates for single problems. */
  rates: Readonly<Record<string, number>>;
  /** How the rate falls while a problem is solved. */
  decay: (peak: number, steps: number) => Rate;
}

/** Throws a `ContractViolation` where the optimizer breaks a rule. */
export type Check = (make: MakeOptimizer, settings: Settings) => Promise<void>;
