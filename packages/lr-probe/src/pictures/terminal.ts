import { checkNumber } from '../errors.ts';

/** Options of `terminalChart`. */
export interface TerminalChartOptions {
  /** Characters across. Default 60. */
  readonly width?: number;
  /** Lines. Default 12. */
  readonly height?: number;
  /** A logarithmic horizontal axis. Default false. */
  readonly log?: boolean;
  /** Values above are left out. Default: none. */
  readonly ceiling?: number;
  /** Upright lines at these places, by name. */
  readonly marks?: Readonly<Record<string, number | undefined>>;
}

/** A number that is short enough for an axis. */
const short = (value: number): string =>
  value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e4) ? value.toExponential(1) : value.toPrecision(3);

/**
 * A curve as text, for a terminal: dots, upright lines at the marks with their first letters below.
 *
 * @param points In any order; what is not finite is left out.
 */
export function terminalChart(
  points: readonly { readonly x: number; readonly y: number }[],
  { width = 60, height = 12, log = false, ceiling = Number.POSITIVE_INFINITY, marks = {} }: TerminalChartOptions = {},
): string {
  checkNumber('width', width, { min: 10, integer: true });
  checkNumber('height', height, { min: 3, integer: true });
  const shown = points.filter(({ x, y }) => Number.isFinite(y) && y <= ceiling && (!log || x > 0));
  if (shown.length === 0) return '(nothing to show)';
  const place = log ? Math.log : (x: number): number => x;
  const xs = shown.map(({ x }) => place(x));
  const ys = shown.map(({ y }) => y);
  const [left, right, bottom, top] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const column = (x: number): number => Math.round(((place(x) - left) / (right - left || 1)) * (width - 1));
  const rows = Array.from({ length: height }, () => new Array<string>(width).fill(' '));
  const names = Object.entries(marks).filter((entry): entry is [string, number] => entry[1] !== undefined);
  const inside = names.filter(([, at]) => column(at) >= 0 && column(at) < width);
  for (const [, at] of inside) for (const row of rows) row[column(at)] = '┊';
  for (const { x, y } of shown) {
    const row = Math.round(((top - y) / (top - bottom || 1)) * (height - 1));
    rows[row]![column(x)] = '•';
  }
  const labels = rows.map((_, i) => (i === 0 ? short(top) : i === height - 1 ? short(bottom) : ''));
  const margin = Math.max(...labels.map(({ length }) => length));
  const body = rows.map((row, i) => `${labels[i]!.padStart(margin)} ┤${row.join('')}`.trimEnd());
  const unplace = (value: number): number => (log ? Math.exp(value) : value);
  const [from, to] = [short(unplace(left)), short(unplace(right))];
  const axis = `${' '.repeat(margin)} └${'─'.repeat(width)}`;
  const ends = `${' '.repeat(margin + 2)}${from}${to.padStart(Math.max(1, width - from.length))}`;
  const legend = inside.map(([name, at]) => `┊ ${name} ${short(at)}`).join('   ');
  return [...body, axis, ends, ...(legend === '' ? [] : [`${' '.repeat(margin + 2)}${legend}`])].join('\n');
}
