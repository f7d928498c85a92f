import { expect, it } from 'vitest';
import { type GalleryImages, gallerySvg, galleryText, pickGallery, type ScoredTable } from './index.ts';

const table: ScoredTable = {
  size: 5,
  costs: { segments: [1, 1, 1], heads: [0, 0, 0], cumulative: [1, 2, 3], full: 3 },
  scores: [Float32Array.of(0.9, 0.2, 0.95, 0.1, 0.3), Float32Array.of(1, 0.8, 1, 0.3, 0.2)],
  correct: [0, 1, 2].map(() => new Uint8Array(5).fill(1)),
};
const images: GalleryImages = {
  width: 2,
  height: 3,
  // Example i: the left column is white where i is odd, the right one always.
  pixels: (i) => [i % 2, 1, i % 2, 1, i % 2, 1].map((value) => 255 * value),
  caption: ({ index, exit }) => `<${index}> ${exit}`,
};

it('picks who left first and surest, and who went on longest and least sure', () => {
  const { easiest, hardest } = pickGallery(table, [0.5, 0.5], 2);
  expect(easiest.map(({ index, exit }) => [index, exit])).toEqual([
    [2, 0],
    [0, 0],
  ]);
  expect(hardest.map(({ index, exit }) => [index, exit])).toEqual([
    [4, 2],
    [3, 2],
  ]);
  expect(hardest[0]!.score).toBeCloseTo(0.2, 6);
});

it('draws them for a page and for a terminal', () => {
  const gallery = pickGallery(table, [0.5, 0.5], 2);
  const svg = gallerySvg(gallery, images);
  expect(svg).toMatch(/^<svg [^>]*viewBox="0 0 218 180"[^>]*><title>/);
  expect(svg.match(/<image /g)).toHaveLength(4);
  expect(svg).toContain('&lt;2&gt; 0');
  const bytes = Uint8Array.from(atob(/base64,([^"]+)/.exec(svg)![1]!), (c) => c.charCodeAt(0));
  // Example 2: a row is black, white and two bytes of padding.
  expect([...bytes.subarray(54, 62)]).toEqual([0, 0, 0, 255, 255, 255, 0, 0]);
  expect(galleryText(gallery, images)).toBe(
    ['easiest', ' █   █', ' ▀   ▀', '<2  <0', 'hardest', ' █  ██', ' ▀  ▀▀', '<4  <3'].join('\n'),
  );
});
