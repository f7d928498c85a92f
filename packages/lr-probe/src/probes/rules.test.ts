import { fillNormal, key } from '@frugal/tensor';
import { describe, expect, it } from 'vitest';
import { suggestRates } from './rules.ts';

const rates = Array.from({ length: 100 }, (_, i) => 10 ** (-8 + (8 * i) / 99));
/** A drop of 1.8 nats, steepest along the logarithm at 3.2e-3, then an explosion. */
const smooth = (rate: number): number =>
  2.3 - 1.8 / (1 + Math.exp(-2 * (Math.log10(rate) + 2.5))) + Math.max(0, rate - 0.3) ** 2 * 8;
const curve = (noise = 0, seed = 0) => {
  const errors = new Float32Array(100);
  fillNormal(key(seed), errors);
  return rates.map((rate, i) => ({ rate, loss: smooth(rate) + noise * errors[i]! }));
};

describe('rules of the range test', () => {
  it('are those of fastai', () => {
    // What fastai's functions (callback/schedule.py), transcribed to Python, give for this curve, trimmed alike.
    const { steep, minimum, valley, slide } = suggestRates(curve());
    expect(steep).toBeCloseTo(3.1257158496882354e-3, 12);
    expect(minimum).toBeCloseTo(2.71858824273294e-2, 12);
    expect(valley).toBeCloseTo(9.111627561154906e-5, 12);
    expect(slide).toBeCloseTo(1.023531021899027e-3, 12);
  });

  it('do not collapse under noise of 0.06 % of the drop, as a derivative by the linear rate does', () => {
    const picks = { log: [] as number[], linear: [] as number[] };
    for (let seed = 0; seed < 50; seed++) {
      const points = curve(0.001, seed);
      picks.log.push(suggestRates(points).steep!);
      const kept = points.slice(10, -5);
      const slopes = kept.slice(1).map(({ rate, loss }, i) => (loss - kept[i]!.loss) / (rate - kept[i]!.rate));
      picks.linear.push(kept[slopes.indexOf(Math.min(...slopes))]!.rate);
    }
    const median = (values: number[]): number => values.sort((a, b) => a - b)[25]!;
    expect(Math.abs(Math.log10(median(picks.log) / 3.2e-3))).toBeLessThan(0.3);
    expect(median(picks.linear)).toBeLessThan(1e-6);
  });

  it('leave out what is not finite', () => {
    const points = curve().map((point, i) => (i % 7 === 3 ? { ...point, loss: Number.NaN } : point));
    const { steep, minimum } = suggestRates([...points, { rate: 10, loss: Number.POSITIVE_INFINITY }]);
    expect(Math.abs(Math.log10(steep! / 3.2e-3))).toBeLessThan(0.3);
    expect(minimum).toBeGreaterThan(1e-3);
  });

  it('find nothing where there is nothing', () => {
    const none = { steep: undefined, minimum: undefined, valley: undefined, slide: undefined };
    expect(suggestRates([{ rate: 1, loss: Number.NaN }])).toEqual(none);
    const rising = rates.map((rate) => ({ rate, loss: 1 + rate }));
    expect(suggestRates(rising)).toMatchObject({ steep: undefined, valley: undefined });
  });
});
