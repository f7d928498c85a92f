import { type Event, formatFlops } from '@frugal/tensor';
import cliProgress from 'cli-progress';
import type { Listener } from '../loop/index.ts';

/** Where a progress bar is drawn. */
export interface ProgressBarOptions {
  /** Default: standard error, so that what a program prints stays clean. */
  stream?: NodeJS.WritableStream & { isTTY?: boolean };
}

/** `accuracy 0.971  loss 0.0932`, without what is no result. */
function results(metrics: Readonly<Record<string, number>>): string {
  const costs = new Set(['flops', 'bytes', 'peakBytes', 'seconds', 'wattHours', 'gramsCO2']);
  return Object.entries(metrics)
    .filter(([name]) => !costs.has(name))
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join('  ');
}

function cost({ flops, wattHours }: Readonly<Record<string, number>>): string {
  return flops === undefined || wattHours === undefined
    ? ''
    : `  ${formatFlops(flops)}, ${wattHours.toPrecision(2)} Wh`;
}

/** What is written beside or, without a terminal, instead of the bar; undefined for what is not worth a line. */
function line(event: Event): string | undefined {
  switch (event.type) {
    case 'epoch':
      return `epoch ${event.epoch + 1}  step ${event.step}  loss ${event.loss.toPrecision(4)}${cost(event.metrics)}`;
    case 'evaluation':
      return `evaluation at step ${event.step}  ${results(event.metrics)}`;
    case 'anomaly':
      return `${event.action}: ${event.what}`;
    case 'note':
      return event.message;
    case 'end':
      return `${event.reason} after ${event.step} steps in ${(event.time / 1000).toFixed(1)} s  ${results(event.metrics)}${cost(event.metrics)}`;
    default:
      return undefined;
  }
}

/** Shows the step, the loss and the time left in one line that stays; what is not a terminal gets a line per epoch. */
export function progressBar({ stream = process.stderr }: ProgressBarOptions = {}): Listener {
  return async (events) => {
    const bar = new cliProgress.SingleBar(
      {
        stream,
        format: '{bar} {percentage} %  step {value}/{total}  epoch {epoch}  loss {loss}  {rate} steps/s  {left}',
        hideCursor: true,
        clearOnComplete: true,
        stopOnComplete: false,
        etaBuffer: 50,
        fps: 8,
      },
      cliProgress.Presets.shades_classic,
    );
    const shows = stream.isTTY === true;
    let first = 0;
    const write = (text: string): void => void stream.write(`${text}\n`);
    try {
      for await (const event of events) {
        if (event.type === 'start') {
          first = event.resumedAt;
          const total = event.totalSteps ?? 0;
          if (shows && total > first) bar.start(total, first, { epoch: 1, loss: '–', rate: '–', left: '' });
        } else if (event.type === 'step') {
          if (!bar.isActive) continue;
          const rate = ((event.step - first) / event.time) * 1000;
          const seconds = Math.round((bar.getTotal() - event.step) / rate);
          const shown = { epoch: event.epoch + 1, loss: event.loss?.toPrecision(4) ?? '–' };
          bar.update(event.step, { ...shown, rate: rate.toPrecision(3), left: `${seconds} s left` });
        }
        const text = line(event);
        if (text === undefined) continue;
        if (event.type === 'end') bar.stop();
        else if (bar.isActive) stream.write('\r\u001b[K'); // the bar is drawn again below
        write(text);
      }
    } finally {
      bar.stop();
    }
  };
}
