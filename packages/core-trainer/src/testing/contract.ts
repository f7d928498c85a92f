import { FrugalError } from '@frugal/tensor';
import { checkNumber } from '../arguments.ts';
import { cosine, type Rate } from '../schedules/index.ts';
import type { Check, MakeOptimizer } from './check.ts';
import { accumulates, takesStructured, worksInjected, worksMasked } from './composition.ts';
import { converges, isDeterministic, survivesSaving, takesSchedule } from './learning.ts';
import {
  keepsForm,
  leaksNothing,
  respectsOwnership,
  stepsAsItUpdates,
  survivesNothing,
  worksOnVariables,
} from './ownership.ts';
import { problems } from './problems.ts';

/** One rule of the contract. */
export interface ContractCheck {
  readonly name: string;
  /** Resolves where the rule holds, rejects with a `ContractViolation` that says what does not. */
  run(): Promise<void>;
}

/** Options of `optimizerContract`. */
export interface OptimizerContractOptions {
  /** A learning rate that suits problems of size 1. Default 0.1. */
  learningRate?: number;
  /** Others for single problems, by their names: `{ Rosenbrock: 1e-3 }`. */
  rates?: Readonly<Record<string, number>>;
  /** Steps for each problem. Default 150. */
  steps?: number;
  /** How the rate falls while a problem is solved. Default a cosine to 0. */
  decay?: (peak: number, steps: number) => Rate;
  /** Rules that cannot hold, by their names, each with the reason. */
  skip?: Readonly<Record<string, string>>;
}

const rules: readonly (readonly [name: string, check: Check])[] = [
  ...problems.map((problem) => [`converges: ${problem.name}`, converges(problem)] as const),
  ['keeps shapes, types and the form of its state', keepsForm],
  ['accepts a schedule', takesSchedule],
  ['works under accumulation', accumulates],
  ['works under a mask', worksMasked],
  ['works under injection', worksInjected],
  ['survives saving and loading', survivesSaving],
  ['is deterministic', isDeterministic],
  ['leaks nothing', leaksNothing],
  ['steps as it updates', stepsAsItUpdates],
  ['leaves what it does not own', respectsOwnership],
  ['works on variables', worksOnVariables],
  ['survives zero gradients and empty trees', survivesNothing],
  ['takes the structured leaves that it accepts', takesStructured],
];

/**
 * What every optimizer must do, as named checks for any test runner:
 *
 *     for (const { name, run } of optimizerContract((rate) => myOptimizer(rate))) test(name, run);
 *
 * They run on the current backend, which must be started, and need gradients (`useBackend` brings both).
 *
 * @param make - Makes the optimizer for a learning rate, a number or a schedule. One without a rate ignores it and
 * skips what it cannot do, with the reason.
 * @throws {FrugalError} `INVALID_ARGUMENT` where `skip` names a rule that does not exist.
 */
export function optimizerContract(make: MakeOptimizer, options: OptimizerContractOptions = {}): ContractCheck[] {
  const { learningRate = 0.1, rates = {}, steps = 150, skip = {}, decay = (peak) => cosine(peak, { steps }) } = options;
  checkNumber('steps', steps, { min: 1, integer: true });
  checkNames(
    'skip',
    Object.keys(skip),
    rules.map(([name]) => name),
  );
  checkNames(
    'rates',
    Object.keys(rates),
    problems.map(({ name }) => name),
  );
  return rules
    .filter(([name]) => !(name in skip))
    .map(([name, check]) => ({ name, run: () => check(make, { learningRate, steps, rates, decay }) }));
}

function checkNames(option: string, names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const list = known.map((name) => `'${name}'`).join(', ');
  throw new FrugalError('INVALID_ARGUMENT', `${option} names '${unknown}', but there are ${list}.`);
}
