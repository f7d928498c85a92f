import type { Schedule } from '@frugal/tensor';
import { checkNumber } from './errors.ts';

/** A schedule of a given length waiting for its peak, e.g. `(peak, steps) => cosine(peak, { steps, warmup: 100 })`. */
export type ScheduleShape = (peak: number, steps: number) => Schedule;

/**
 * Linear warm-up over a share of the steps, then half a cosine to 0: what every piece of advice assumes.
 *
 * @param share Of the steps that the rate rises, in [0, 1).
 */
export function warmCosine(share: number): ScheduleShape {
  checkNumber('share', share, { min: 0, max: 0.99 });
  return (peak, steps) => {
    const warm = Math.max(share > 0 ? 1 : 0, Math.round(share * steps));
    return (step) => {
      if (step < warm) return (peak * (step + 1)) / (warm + 1);
      return (peak * (1 + Math.cos(Math.PI * Math.min(1, (step - warm) / (steps - warm))))) / 2;
    };
  };
}
