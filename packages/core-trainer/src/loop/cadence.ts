import { checkNumber } from '../arguments.ts';

/** How often something happens. */
export interface Cadence {
  readonly everyEpochs?: number | undefined;
  readonly everySteps?: number | undefined;
}

/** Whether it is due after so many epochs: each one, unless steps were asked for. */
export function epochDue({ everyEpochs, everySteps }: Cadence, epochs: number): boolean {
  const every = everyEpochs ?? (everySteps === undefined ? 1 : undefined);
  return every !== undefined && epochs % every === 0;
}

/** Whether it is due after so many steps. */
export function stepDue({ everySteps }: Cadence, step: number): boolean {
  return everySteps !== undefined && step % everySteps === 0;
}

/** @throws {FrugalError} `INVALID_ARGUMENT` unless both are whole numbers of at least 1, where given. */
export function checkCadence(name: string, { everyEpochs, everySteps }: Cadence): void {
  const positive = { min: 1, integer: true };
  if (everyEpochs !== undefined) checkNumber(`${name}.everyEpochs`, everyEpochs, positive);
  if (everySteps !== undefined) checkNumber(`${name}.everySteps`, everySteps, positive);
}
