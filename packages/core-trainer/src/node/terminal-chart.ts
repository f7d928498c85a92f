import asciichart from 'asciichart';
import type { Listener } from '../loop/index.ts';

/** How large a chart is, in characters. */
export interface ChartOptions {
  /** Points beside each other; more values are averaged. Default 60. */
  width?: number;
  /** Lines. Default 10. */
  height?: number;
}

/** At most `width` means of consecutive values. */
function compress(values: readonly number[], width: number): number[] {
  const points = Math.min(width, values.length);
  return Array.from({ length: points }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / points), Math.floor(((i + 1) * values.length) / points));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}

/**
 * A curve drawn with characters. Values that are not finite are left out.
 *
 * @returns Lines; empty where there is nothing to draw.
 */
export function lineChart(values: readonly number[], { width = 60, height = 10 }: ChartOptions = {}): string {
  const points = compress(values.filter(Number.isFinite), width);
  if (points.length === 0) return '';
  return asciichart.plot(points, { height: height - 1, format: (value) => value.toPrecision(3).padStart(9) });
}

/** Where and how a terminal chart is drawn. */
export interface TerminalChartOptions extends ChartOptions {
  /** Takes the text. Default: standard output. */
  print?: (text: string) => void;
}

/** Draws the loss of all steps so far, after every epoch. */
export function terminalChart(options: TerminalChartOptions = {}): Listener {
  const { print = (text: string) => void process.stdout.write(`${text}\n`) } = options;
  return async (events) => {
    const losses: number[] = [];
    for await (const event of events) {
      if (event.type === 'step' && event.loss !== undefined) losses.push(event.loss);
      if (event.type !== 'epoch' || losses.length === 0) continue;
      print(`\nloss, ${event.step} steps, epoch ${event.epoch + 1}\n${lineChart(losses, options)}\n`);
    }
  };
}
