import type { Interval } from '@frugal/tensor';
import type { Agreement } from '../difficulty/agreement.ts';
import { picture, textAt } from './svg.ts';

/** White at 0, blue at 1, red below 0, RGB. */
function shade(value: number): string {
  const share = Math.min(1, Math.abs(value));
  const end = value < 0 ? [178, 24, 43] : [33, 102, 172];
  return `rgb(${end.map((channel) => Math.round(255 + share * (channel - 255))).join(',')})`;
}

interface Cell {
  readonly value: number;
  /** Below the value. */
  readonly note: string;
}

const between = ({ low, high }: Interval): string => `${low.toFixed(2)} to ${high.toFixed(2)}`;

/**
 * Who agrees with whom, as SVG: on the diagonal each method with itself over its runs (the ceiling), above it the correlations of
 * two methods with their intervals, below it the same as a share of what the ceilings of the two allow. Cells without a
 * value (a ceiling of a single run) are grey.
 *
 * @param found What `agreement` returned.
 */
export function agreementSvg({ ceilings, pairs }: Agreement): string {
  const names = Object.keys(ceilings);
  const [side, left, top] = [104, 10 + 8 * Math.max(...names.map((name) => name.length)), 28];
  const cellOf = (a: string, b: string): Cell => {
    if (a === b) {
      const own = ceilings[a];
      return own === undefined ? { value: Number.NaN, note: 'one run' } : { value: own.estimate, note: between(own) };
    }
    const above = names.indexOf(a) < names.indexOf(b);
    const { correlation, ceiling } = pairs.find(({ methods }) => methods.includes(a) && methods.includes(b))!;
    return above
      ? { value: correlation.estimate, note: between(correlation) }
      : { value: correlation.estimate / ceiling, note: 'of the ceiling' };
  };
  const cells = names.flatMap((a, row) =>
    names.map((b, column) => {
      const { value, note } = cellOf(a, b);
      const known = Number.isFinite(value);
      const [x, y] = [left + column * side, top + row * side];
      const [middle, ink] = [x + side / 2, known && Math.abs(value) > 0.6 ? 'white' : 'black'];
      const edge = row === column ? 'stroke="black" stroke-width="2"' : 'stroke="white"';
      const text = (down: number, content: string, size: number): string =>
        textAt(middle, y + down, known ? content : '–', `text-anchor="middle" font-size="${size}" fill="${ink}"`);
      return [
        `<rect x="${x + 1}" y="${y + 1}" width="${side - 2}" height="${side - 2}" fill="${known ? shade(value) : '#ddd'}" ${edge}/>`,
        text(side / 2, value.toFixed(2), 20),
        ...(known ? [text(side / 2 + 20, note, 11)] : []),
      ].join('');
    }),
  );
  const labels = names.flatMap((name, i) => [
    textAt(left - 8, top + (i + 0.5) * side + 5, name, 'text-anchor="end" font-size="13"'),
    textAt(left + (i + 0.5) * side, top - 8, name, 'text-anchor="middle" font-size="13"'),
  ]);
  return picture('Agreement of rankings', left + names.length * side + 2, top + names.length * side + 2, [
    ...labels,
    ...cells,
  ]);
}
