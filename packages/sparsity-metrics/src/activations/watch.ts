import type { Event, Tree } from '@frugal/tensor';
import type { ActivationReport } from './report.ts';

/** What a training looked like at one step. */
export interface ActivitySample {
  readonly step: number;
  readonly epoch: number;
  readonly report: ActivationReport;
}

/** Options of `watchActivity`. */
export interface WatchActivityOptions<P extends Tree> {
  /** Steps from one look to the next. Default: after each epoch. */
  everySteps?: number;
  /** Looks at the parameters of the moment, e.g. `(params) => probeActivations(() => model.apply(params, images))`. */
  look: (params: P) => Promise<ActivationReport>;
}

/** A hook for `train` that follows the share of zeros over a training. */
export interface ActivityWatch {
  readonly name: string;
  onEvent(event: Event, run: { readonly params: Tree; readonly step: number; readonly epoch: number }): Promise<void>;
  /** What was seen so far. */
  readonly samples: readonly ActivitySample[];
}

/**
 * Follows the zeros of a network's activations while it is trained: before the first step, and then every so often.
 *
 *     const watch = watchActivity({ look: (params) => probeActivations(() => model.apply(params, images)) });
 *     train({ …, hooks: [watch] })
 */
export function watchActivity<P extends Tree>({ everySteps, look }: WatchActivityOptions<P>): ActivityWatch {
  const samples: ActivitySample[] = [];
  const due = (event: Event): boolean =>
    event.type === 'start' ||
    (everySteps === undefined ? event.type === 'epoch' : event.type === 'step' && event.step % everySteps === 0);
  return {
    name: 'watchActivity',
    async onEvent(event, { params, step, epoch }) {
      if (due(event)) samples.push({ step, epoch, report: await look(params as P) });
    },
    get samples() {
      return samples;
    },
  };
}
