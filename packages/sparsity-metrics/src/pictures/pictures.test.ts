import { describe, expect, it } from 'vitest';
import { examplesSvg } from './examples.ts';
import { paretoSvg } from './pareto.ts';

describe('pictures', () => {
  it('Pareto fronts: what no point of the kind beats, with what the front beats', () => {
    const { svg, hypervolumes } = paretoSvg(
      {
        exits: [
          [1, 0.9],
          [2, 0.95],
          [2.5, 0.94],
        ],
        experts: [[1.5, 0.8]],
      },
      { reference: [3, 0.5], title: 'Cost' },
    );
    // (3 − 1)(0.9 − 0.5) + (3 − 2)(0.95 − 0.9) and (3 − 1.5)(0.8 − 0.5)
    expect(hypervolumes['exits']).toBeCloseTo(0.85, 12);
    expect(hypervolumes['experts']).toBeCloseTo(0.45, 12);
    expect(svg.match(/<circle/g)).toHaveLength(3);
    for (const text of ['exits (0.850)', 'experts (0.450)', 'Cost', 'cost', 'quality']) expect(svg).toContain(text);
  });

  it('examples: every bright pixel once, in its row', () => {
    const images = {
      width: 3,
      height: 2,
      pixels: (index: number) => (index === 7 ? [0, 1, 1, 1, 0, 0.4] : [0, 0, 0, 0, 0, 0]),
      caption: (index: number) => `a ${index}`,
    };
    const svg = examplesSvg({ easiest: [7], hardest: [3, 4] }, images);
    const paths = [...svg.matchAll(/<path d="([^"]*)" fill="rgb\((\d+),/g)].map(([, d, grey]) => [d, grey]);
    expect(paths).toEqual([
      ['M2 1h1v1h-1z', '109'],
      ['M1 0h2v1h-2zM0 1h1v1h-1z', '255'],
    ]);
    for (const text of ['a 7', 'a 3', 'a 4', 'easiest', 'hardest']) expect(svg).toContain(text);
  });
});
