import { checkNumber } from '../arguments.ts';
import type { Hook } from '../loop/index.ts';
import { improves, type WatchOptions, watched } from './watch.ts';

/** When to give up. */
export interface EarlyStoppingOptions extends WatchOptions {
  /** Events in a row without improvement after which the run ends. Default 3. */
  patience?: number;
  /** Smaller improvements do not count. Default 0. */
  minDelta?: number;
}

/**
 * Ends a run, with reason `'stopped'`, when a metric has not improved for a while. Counts on after a resume.
 *
 *     train({ …, evaluate: validation, hooks: [earlyStopping({ metric: 'accuracy', mode: 'max' })] })
 *
 * @throws {FrugalError} `INVALID_ARGUMENT` here for options out of range, in the run for a metric that does not come.
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Hook {
  const { metric = 'loss', mode = 'min', patience = 3, minDelta = 0 } = options;
  checkNumber('patience', patience, { min: 1, integer: true });
  checkNumber('minDelta', minDelta, { min: 0 });
  let best: number | undefined;
  let waited = 0;
  return {
    name: 'earlyStopping',
    onEvent(event, run) {
      const value = watched(event, options);
      if (value === undefined && event.type !== 'start') return;
      if (value !== undefined && improves(value, best, mode, minDelta)) {
        best = value;
        waited = 0;
      } else if (value !== undefined) waited++;
      // At the start too: a run that was stopped and is resumed has nothing left to do.
      if (waited >= patience) run.stop(`'${metric}' has not improved on ${best} for ${waited} times`);
    },
    save: () => ({ values: { best: best ?? null, waited } }),
    load({ values }) {
      const saved = values as { best: number | null; waited: number };
      best = saved.best ?? undefined;
      waited = saved.waited;
    },
  };
}
