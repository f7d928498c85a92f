import { describe, expect, it } from 'vitest';
import { planCounts } from '../plan.ts';
import { computeShares, layerUsage } from '../usage.ts';
import { histogramSvg, histogramText } from './histogram.ts';
import { imageMapSvg, imageMapText } from './image-map.ts';
import { textMapSvg, textMapText } from './text-map.ts';

const plans = new Map([
  ['a', planCounts([0, 4, 2, 2], 4)],
  ['b', planCounts([0, 2, 1, 1], 2)],
]);

describe('usage', () => {
  it('is the mean share of the layers, token by token', () => {
    expect(Array.from(computeShares(plans))).toEqual([0, 1, 0.5, 0.5]);
    expect(() => computeShares(new Map())).toThrow(/no plans/);
    expect(() => computeShares(new Map([...plans, ['c', planCounts([1], 2)]]))).toThrow(/plan of 'c' is for 1 tokens/);
  });

  it('says how a layer spreads over tokens and over examples', () => {
    const [a, b] = layerUsage([plans, plans], 2);
    expect(a).toMatchObject({ path: 'a', histogram: [2, 0, 4, 0, 2], meanLearners: 2, commonest: 0.5 });
    expect([a!.overExamples, a!.overTokens]).toEqual([0, 1]); // examples (0, 4) and (2, 2)
    expect(b!.overTokens).toBe(0.5);
  });
});

const image = {
  pixels: [0, 1, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  width: 4,
  patch: 2,
  shares: [0, 1, 0.5, 0.5],
};

describe('pictures', () => {
  it('colour every patch by its share', () => {
    const svg = imageMapSvg([image, image]);
    expect(svg.match(/<title>/g)).toHaveLength(9);
    expect(svg).toContain('fill="rgb(44,20,84)"');
    expect(svg).toContain('fill="rgb(253,231,37)"');
    expect(imageMapText(image, { colour: false })).toBe('0+9 \n5 5+');
    expect(imageMapText(image).split('\n')[0]).toContain('\x1b[48;2;253;231;37m');
    expect(() => imageMapSvg([{ ...image, patch: 3 }])).toThrow(/has not 4 patches/);
  });

  it('colour every character by its share, and escape it', () => {
    const pieces = ['<', 'b', '\n', '&'];
    expect(textMapSvg(pieces, [0, 1, 0.5, 0.5])).toContain('&lt;</text>');
    expect(textMapText(pieces, [0, 1, 0.5, 0.25], { colour: false })).toBe('<b⏎\n095\n&\n2');
    expect(textMapText(pieces, [0, 1, 0.5, 0.25])).toContain('\x1b[48;2;253;231;37m\x1b[30mb\x1b[0m');
    expect(() => textMapText(pieces, [1])).toThrow(/4 pieces of text and 1 shares/);
  });

  it('draw a histogram of every layer', () => {
    const layers = layerUsage([plans], 2);
    expect(histogramText(layers, { width: 4 }).split('\n').slice(0, 3)).toEqual([
      'a, 2.00 of 4 learners',
      '  0 █     25.0 %',
      '  1        0.0 %',
    ]);
    expect(histogramSvg(layers).match(/<title>/g)).toHaveLength(9);
  });
});
