import type { Extremes } from '../difficulty/overlap.ts';
import { picture, px, textAt } from './svg.ts';

/** Images by number. */
export interface ExampleImages {
  readonly width: number;
  readonly height: number;
  /** `height` · `width` brightnesses from 0 (black) to 1 (white), row by row. */
  pixels(index: number): ArrayLike<number>;
  /** Written below an image, e.g. its label. Default: nothing. */
  caption?(index: number): string;
}

const SIDE = 56;
const GAP = 8;
const GREYS = 8;

/**
 * The easiest and the hardest examples as an SVG picture: a row of each.
 *
 * @param ends Of `extremes`.
 */
export function examplesSvg(ends: Extremes, images: ExampleImages): string {
  const rows = [
    ['easiest', ends.easiest],
    ['hardest', ends.hardest],
  ] as const;
  const columns = Math.max(1, ...rows.map(([, items]) => items.length));
  const parts = rows.flatMap(([title, items], row) => {
    const top = GAP + row * (SIDE + 26);
    return [
      textAt(GAP, top + SIDE / 2, title, 'font-weight="bold"'),
      ...items.map((index, i) => {
        const left = 70 + i * (SIDE + GAP);
        const scale = `translate(${left} ${top}) scale(${px(SIDE / images.width)} ${px(SIDE / images.height)})`;
        const caption = images.caption?.(index) ?? '';
        return (
          `<g transform="${scale}" shape-rendering="crispEdges"><rect width="${images.width}" height="${images.height}"/>${strokes(images, index)}</g>` +
          (caption && textAt(left + SIDE / 2, top + SIDE + 13, caption, 'text-anchor="middle"'))
        );
      }),
    ];
  });
  return picture('The easiest and the hardest', 70 + columns * (SIDE + GAP), 2 * (SIDE + 26) + GAP, parts);
}

/** Bright pixels as one path for each of a few greys: a run of a row is a stroke. */
function strokes({ width, height, pixels }: ExampleImages, index: number): string {
  const values = pixels(index);
  const paths = Array.from({ length: GREYS }, () => '');
  const grey = (at: number): number => Math.round(Math.min(1, Math.max(0, values[at]!)) * (GREYS - 1));
  for (let y = 0; y < height; y++) {
    for (let x = 0, end = 0; x < width; x = end) {
      const own = grey(y * width + x);
      for (end = x + 1; end < width && grey(y * width + end) === own; ) end++;
      paths[own] += `M${x} ${y}h${end - x}v1h${x - end}z`;
    }
  }
  return paths
    .map((d, i) =>
      i === 0 || d === '' ? '' : `<path d="${d}" fill="rgb(${Array(3).fill(Math.round((255 * i) / (GREYS - 1)))})"/>`,
    )
    .join('');
}
