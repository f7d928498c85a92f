import { describe, expect, it } from 'vitest';
import { curvesSvg, roundTicks } from './curves.ts';

describe('curves', () => {
  it('stand where their numbers say', () => {
    const svg = curvesSvg(
      [
        {
          name: 'a < b',
          points: [
            [0, 0],
            [10, 1],
          ],
          spread: [0.1, 0.1],
        },
        { name: 'c', points: [[5, 0.5]], draw: 'points' },
      ],
      { title: 'Zeros', xLabel: 'step', yLabel: 'share', yRange: [-0.5, 1.5] },
    );
    const dots = [...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)] as const);
    expect(dots).toHaveLength(3);
    // The third point lies halfway between the first two.
    expect(dots[2]![0]).toBeCloseTo((dots[0]![0] + dots[1]![0]) / 2, 0);
    expect(dots[2]![1]).toBeCloseTo((dots[0]![1] + dots[1]![1]) / 2, 0);
    expect(dots[0]![1]).toBeGreaterThan(dots[1]![1]);
    for (const text of ['a &lt; b', 'Zeros', 'step', 'share']) expect(svg).toContain(text);
    expect(svg.match(/<path [^>]*stroke-width="1.8"/g)).toHaveLength(1);
  });

  it('have error bars by half their length or by their ends', () => {
    const svg = curvesSvg([
      {
        name: 'a',
        points: [
          [0, 1],
          [1, 1],
        ],
        spread: [1, [0.5, 3]],
      },
    ]);
    const [first, second] = [...svg.matchAll(/<path d="M[\d.]+ ([\d.]+)V([\d.]+)"/g)].map(([, from, to]) => [
      +from!,
      +to!,
    ]);
    const dot = Number(/cy="([\d.]+)"/.exec(svg)![1]);
    expect((first![0]! + first![1]!) / 2).toBeCloseTo(dot, 0);
    // From 0.5 below the point's 1 to 3: lengths below and above it are as 1 to 4.
    expect((dot - second![1]!) / (second![0]! - dot)).toBeCloseTo(4, 0);
  });

  it('spread x by its logarithm where asked', () => {
    const svg = curvesSvg(
      [
        {
          name: 'a',
          points: [
            [1, 0],
            [10, 1],
            [100, 2],
          ],
        },
      ],
      { logX: true },
    );
    const [a, b, c] = [...svg.matchAll(/cx="([\d.]+)"/g)].map(([, x]) => Number(x));
    expect(b! - a!).toBeCloseTo(c! - b!, 0);
    for (const bad of [
      [],
      [{ name: 'a', points: [[0, 1]] as const }],
      [{ name: 'a', points: [[1, Number.NaN]] as const }],
    ])
      expect(() => curvesSvg(bad, { logX: true })).toThrow(/finite/);
  });

  it('have round ticks', () => {
    expect(roundTicks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(roundTicks(-0.3, 11)).toEqual([0, 5, 10]);
    expect(roundTicks(96.1, 98.9)).toEqual([97, 98]);
  });
});
