import type { Io } from '@frugal/example-support';
import { type Cost, formatBytes, formatFlops } from '@frugal/tensor';

/** What the screen shows of a training under way. */
export interface Progress {
  readonly step: number;
  readonly steps: number;
  readonly epoch: number;
  readonly epochs: number;
  /** Since the training began. */
  readonly seconds: number;
  readonly losses: readonly number[];
  /** On images that the network does not learn from; undefined before the first look. */
  readonly accuracy: number | undefined;
  readonly cost: Cost;
}

const width = 36;
const heights = '▁▂▃▄▅▆▇█';

/** A curve of one line: values on a log axis, averaged to at most `columns` points. */
export function sparkline(values: readonly number[], columns: number): string {
  const size = Math.max(1, Math.ceil(values.length / columns));
  const points = Array.from({ length: Math.ceil(values.length / size) }, (_, i) => {
    const part = values.slice(i * size, (i + 1) * size);
    return Math.log(part.reduce((sum, value) => sum + value, 0) / part.length + 1e-6);
  });
  const low = Math.min(...points);
  const range = Math.max(...points) - low || 1;
  return points.map((point) => heights[Math.round(((point - low) / range) * (heights.length - 1))]).join('');
}

/** The screen as lines of text. */
export function screen(progress: Progress, io: Pick<Io, 'paint'>): string {
  const { step, steps, epoch, epochs, seconds, losses, accuracy, cost } = progress;
  const share = step / steps;
  const done = Math.round(share * width);
  const bar = io.paint('█'.repeat(done), 'good') + io.paint('░'.repeat(width - done), 'faint');
  const left = step === 0 ? '' : `, ${Math.ceil((seconds / step) * (steps - step))} s left`;
  const recent = losses.slice(-50);
  const loss = recent.reduce((sum, value) => sum + value, 0) / Math.max(1, recent.length);
  const { energy } = cost;
  const about = energy.method === 'estimated' ? 'about ' : '';
  const row = (label: string, text: string): string => `  ${io.paint(label.padEnd(9), 'faint')} ${text}`;
  return [
    '',
    `  ${bar} ${String(Math.floor(100 * share)).padStart(3)} %  epoch ${Math.min(epoch + 1, epochs)} of ${epochs}${left}`,
    row('loss', `${loss.toFixed(4)}  ${sparkline(losses, width)}`),
    row(
      'accuracy',
      accuracy === undefined ? 'after the first epoch' : `${(100 * accuracy).toFixed(2)} % of 5,000 unseen images`,
    ),
    row(
      'cost',
      `${formatFlops(cost.flops)}, ${formatBytes(cost.bytes)} moved, ${seconds.toFixed(1)} s, ${about}${energy.wattHours.toPrecision(2)} Wh`,
    ),
  ].join('\n');
}

/** Pictures of several lines side by side. */
export function beside(pictures: readonly string[], gap = '  '): string {
  const columns = pictures.map((picture) => picture.split('\n'));
  const height = Math.max(...columns.map((lines) => lines.length));
  return Array.from({ length: height }, (_, row) => columns.map((lines) => lines[row] ?? '').join(gap)).join('\n');
}
