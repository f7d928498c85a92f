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
