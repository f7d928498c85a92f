import type { Event, Tree } from '@frugal/tensor';
import { checkNumber, ProbeError, type ProbeFault } from '../errors.ts';
import type { Problem } from '../problem.ts';
import { isDue, type TrackedRun, type Tracker } from './hook.ts';

/** What a probe found at a step. */
export interface ProbePoint<R> {
  readonly step: number;
  /** Undefined where its search failed. */
  readonly found: R | undefined;
  /** Why it failed. */
  readonly fault: ProbeFault | undefined;
}

/**
 * Any probe as a tracker: noise scale, covariance of gradients, batch sharpness, η_c along a run, always on the same batches.
 *
 *     const noise = trackProbe({ loss, data, key: key(1) }, (here) => noiseScale(here), { every: 50 });
 *
 * @param problem Its `params` are not used: the run's are.
 * @param look The probe; a failed search is noted, anything else is thrown.
 */
export function trackProbe<P extends Tree, B, R>(
  problem: Omit<Problem<P, B>, 'params'>,
  look: (here: Problem<P, B>, run: TrackedRun) => Promise<R>,
  options: { readonly every?: number; readonly name?: string } = {},
): Tracker & { readonly points: readonly ProbePoint<R>[] } {
  const { every = 50, name = 'probe' } = options;
  checkNumber('every', every, { min: 1, integer: true });
  const points: ProbePoint<R>[] = [];
  return {
    name,
    points,
    async onEvent(event: Event, run: TrackedRun) {
      if (!isDue(event, every)) return;
      const { step } = event;
      try {
        const found = await look({ ...problem, params: run.params as P } as Problem<P, B>, run);
        points.push({ step, found, fault: undefined });
      } catch (error) {
        if (!(error instanceof ProbeError)) throw error;
        points.push({ step, found: undefined, fault: error.code });
      }
    },
  };
}
