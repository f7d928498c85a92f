import { FrugalError } from '@frugal/tensor';
import { COLOURS, picture, px, textAt } from './svg.ts';

/** A line of a picture. */
export interface Curve {
  readonly name: string;
  /** [x, y], in the order in which they are joined. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Each point's error bar: half its length, e.g. a standard deviation over seeds, or its ends, e.g. of a Wilson interval. */
  readonly spread?: readonly (number | readonly [low: number, high: number])[];
  /** Whether points are joined (default), stand alone, or are joined by a broken line. */
  readonly draw?: 'line' | 'dashed' | 'points';
}

/** Options of `curvesSvg`. */
export interface CurvesOptions {
  readonly title?: string;
  readonly xLabel?: string;
  readonly yLabel?: string;
  /** Whether x is drawn on a logarithmic axis; then x > 0. Default false. */
  readonly logX?: boolean;
  /** The range of y that is drawn at least. */
  readonly yRange?: readonly [low: number, high: number];
  /** Values at which the x axis is labelled. Default: round ones. */
  readonly xTicks?: readonly number[];
}

const WIDTH = 560;
const HEIGHT = 320;
const FRAME = { left: 62, right: 150, top: 30, bottom: 44 };

/** Round numbers between two, some five of them. */
export function roundTicks(low: number, high: number): number[] {
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((one) => one * power >= raw * 0.999)! * power;
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** The smallest and the largest of some numbers, apart also where there is only one. */
function rangeOf(values: readonly number[], room: number): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (low === high) return [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  return [low - room * (high - low), high + room * (high - low)];
}

/** The ends of the error bar of point i; without one the point itself. */
function barOf({ points, spread }: Curve, i: number): readonly [low: number, high: number] {
  const [own, y] = [spread?.[i] ?? 0, points[i]![1]];
  return typeof own === 'number' ? [y - own, y + own] : own;
}

const shown = (value: number): string => String(Number(value.toPrecision(4)));

/**
 * Curves with axes, error bars and a legend as an SVG picture: zeros over a training, accuracy against speed, a Pareto front.
 *
 * @param curves At least one point in all.
 * @throws {FrugalError} `BAD_ARGUMENT` if there is nothing to draw, a number is not finite, or x ≤ 0 on a logarithmic axis.
 */
export function curvesSvg(curves: readonly Curve[], options: CurvesOptions = {}): string {
  const { title = '', xLabel = '', yLabel = '', logX = false } = options;
  const all = curves.flatMap(({ points }) => points);
  const drawable =
    all.length > 0 && all.every(([x, y]) => Number.isFinite(y) && Number.isFinite(logX ? Math.log(x) : x));
  if (!drawable) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      'curvesSvg needs points whose numbers are finite, and positive where logX is set.',
    );
  }
  const along = (x: number): number => (logX ? Math.log(x) : x);
  const reach = curves.flatMap((curve) => curve.points.flatMap(([, y], i) => [y, ...barOf(curve, i)]));
  const [x0, x1] = rangeOf(
    all.map(([x]) => along(x)),
    0.03,
  );
  const [y0, y1] = rangeOf([...reach, ...(options.yRange ?? [])], options.yRange === undefined ? 0.05 : 0);
  const inner = { width: WIDTH - FRAME.left - FRAME.right, height: HEIGHT - FRAME.top - FRAME.bottom };
  const atX = (x: number): number => FRAME.left + (inner.width * (along(x) - x0)) / (x1 - x0);
  const atY = (y: number): number => FRAME.top + (inner.height * (y1 - y)) / (y1 - y0);
  const [bottom, right] = [FRAME.top + inner.height, FRAME.left + inner.width];

  const ticksX = options.xTicks ?? (logX ? [...new Set(all.map(([x]) => x))] : roundTicks(x0, x1));
  const axes = [
    ...roundTicks(y0, y1).map(
      (y) =>
        `<line x1="${FRAME.left}" x2="${right}" y1="${px(atY(y))}" y2="${px(atY(y))}" stroke="#e3e3e3"/>` +
        textAt(FRAME.left - 6, atY(y) + 4, shown(y), 'text-anchor="end"'),
    ),
    ...ticksX.map(
      (x) =>
        `<line x1="${px(atX(x))}" x2="${px(atX(x))}" y1="${bottom}" y2="${bottom + 4}" stroke="#888"/>` +
        textAt(atX(x), bottom + 16, shown(x), 'text-anchor="middle"'),
    ),
    `<path d="M${FRAME.left} ${FRAME.top}V${bottom}H${right}" fill="none" stroke="#888"/>`,
    textAt(FRAME.left, 18, title, 'font-weight="bold" font-size="12"'),
    textAt(FRAME.left + inner.width / 2, HEIGHT - 8, xLabel, 'text-anchor="middle"'),
    textAt(-(FRAME.top + inner.height / 2), 14, yLabel, 'text-anchor="middle" transform="rotate(-90)"'),
  ];
  const lines = curves.map((curve, i) => {
    const { name, points, spread, draw = 'line' } = curve;
    const colour = COLOURS[i % COLOURS.length]!;
    const path = points.map(([x, y], k) => `${k === 0 ? 'M' : 'L'}${px(atX(x))} ${px(atY(y))}`).join('');
    const dashes = draw === 'dashed' ? ' stroke-dasharray="5 4"' : '';
    const bars = (spread ?? []).map((_, k) => {
      const [low, high] = barOf(curve, k);
      return `<path d="M${px(atX(points[k]![0]))} ${px(atY(low))}V${px(atY(high))}" stroke="${colour}" opacity="0.5"/>`;
    });
    // Long curves would be a row of beads.
    const dots = points.length > 25 ? [] : points;
    const legend = FRAME.top + 10 + 17 * i;
    return [
      ...(draw === 'points' ? [] : [`<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.8"${dashes}/>`]),
      ...bars,
      ...dots.map(([x, y]) => `<circle cx="${px(atX(x))}" cy="${px(atY(y))}" r="3" fill="${colour}"/>`),
      `<rect x="${right + 12}" y="${legend - 6}" width="12" height="4" fill="${colour}"/>`,
      textAt(right + 29, legend, name),
    ].join('');
  });
  return picture(title || 'Curves', WIDTH, HEIGHT, [...axes, ...lines]);
}
