import { readFileSync } from 'node:fs';
import type { Schedule } from '@frugal/tensor';
import { describe, expect, it } from 'vitest';
import {
  constant,
  cosine,
  exponential,
  inverseSqrt,
  join,
  linear,
  oneCycle,
  piecewise,
  toSchedule,
  warmup,
  wsd,
} from './index.ts';

const fixture = JSON.parse(readFileSync(new URL('../optimizers/fixtures/optax.json', import.meta.url), 'utf8')) as {
  schedules: Record<string, number[]>;
};

const same: Record<string, Schedule> = {
  linear: linear(0.5, 0.1, { steps: 8 }),
  cosine: cosine(0.5, { steps: 8, final: 0.05 }),
  exponential: exponential(0.5, { factor: 0.7, every: 3 }),
  'exponential, staircase': exponential(0.5, { factor: 0.7, every: 3, staircase: true, final: 0.2 }),
  join: join([linear(0, 1, { steps: 4 }), cosine(1, { steps: 5 })], [4]),
};

const values = (schedule: Schedule, steps: number) => Array.from({ length: steps }, (_, step) => schedule(step));
const rounded = (schedule: Schedule, steps: number) => values(schedule, steps).map((v) => Number(v.toFixed(6)));

describe('schedules', () => {
  it.each(Object.keys(fixture.schedules))('%s: as in optax', (name) => {
    values(same[name]!, 12).forEach((value, step) => {
      expect(value, `step ${step}`).toBeCloseTo(fixture.schedules[name]![step]!, 6);
    });
  });

  it('warm up without a step at zero and arrive at the peak once', () => {
    expect(rounded(warmup(constant(1), { steps: 3 }), 5)).toEqual([0.25, 0.5, 0.75, 1, 1]);
    expect(rounded(warmup(linear(1, 0, { steps: 2 }), { steps: 1, from: 0.5 }), 4)).toEqual([0.75, 1, 0.5, 0]);
    expect(rounded(cosine(1, { steps: 5, warmup: 1 }), 7)).toEqual([0.5, 1, 0.853553, 0.5, 0.146447, 0, 0]);
  });

  it('wsd: warm-up, stable, decay by each shape', () => {
    const at = (shape: 'linear' | 'cosine' | 'sqrt') => rounded(wsd(1, { steps: 8, warmup: 1, decay: 4, shape }), 9);
    expect(at('linear')).toEqual([0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0]);
    expect(at('sqrt')).toEqual([0.5, 1, 1, 1, 1, 0.5, 0.292893, 0.133975, 0]);
    expect(at('cosine')[6]).toBe(0.5);
    expect(wsd(2, { steps: 100, final: 1 })(89)).toBe(2);
    expect(wsd(2, { steps: 100, final: 1 })(100)).toBe(1);
  });

  it('piecewise, one cycle, inverse square root', () => {
    expect(values(piecewise({ 0: 3, 2: 2, 4: 1 }), 6)).toEqual([3, 3, 2, 2, 1, 1]);
    const cycle = oneCycle(1, { steps: 10, rise: 0.4, startDivisor: 10, endDivisor: 100 });
    expect(rounded(cycle, 11)).toEqual([
      0.1, 0.231802, 0.55, 0.868198, 1, 0.93308, 0.75025, 0.5005, 0.25075, 0.06792, 0.001,
    ]);
    const root = inverseSqrt(1, { warmup: 4 });
    expect([root(0), root(4), root(16)]).toEqual([0.2, 1, 0.5]);
  });

  it('refuse numbers that make no schedule', () => {
    expect(() => linear(0, 1, { steps: 0 })).toThrow(/steps must be .* ≥ 1.*got 0/);
    expect(() => cosine(1, { steps: 5, warmup: 5 })).toThrow(/warmup must be .* ≤ 4/);
    expect(() => piecewise({ 5: 1 })).toThrow(/first step/);
    expect(() => join([constant(1)], [3])).toThrow(/number of boundaries/);
    expect(() => toSchedule('learningRate', Number.NaN)).toThrow(/learningRate must be a finite number, got NaN/);
    expect(() => toSchedule('learningRate', () => Number.NaN)(7)).toThrow(/learningRate at step 7/);
  });
});
