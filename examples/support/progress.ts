import type { Listener } from '@frugal/core-trainer';
import { Presets, SingleBar } from 'cli-progress';
import { percent } from './index.ts';

/** A bar with the live loss, for terminals. */
export const bar: Listener = async (events) => {
  const shown = new SingleBar(
    { format: '  {bar} {percentage} %  epoch {epoch}  loss {loss}{accuracy}  {eta_formatted} left', hideCursor: true },
    Presets.shades_grey,
  );
  let accuracy = '';
  let mean = Number.NaN;
  for await (const event of events) {
    if (event.type === 'start') {
      shown.start(event.totalSteps ?? 0, event.resumedAt, { epoch: 1, loss: '', accuracy });
    } else if (event.type === 'step' && event.loss !== undefined) {
      mean = Number.isNaN(mean) ? event.loss : 0.95 * mean + 0.05 * event.loss;
      shown.update(event.step, { epoch: event.epoch + 1, loss: mean.toFixed(4) });
    } else if (event.type === 'evaluation' && event.metrics.accuracy !== undefined) {
      accuracy = `  accuracy ${percent(event.metrics.accuracy)}`;
      shown.update({ accuracy });
    }
  }
  shown.stop();
};

/** A line an epoch, where nobody watches. */
export function lines(print: (text: string) => void): Listener {
  return async (events) => {
    for await (const event of events) {
      if (event.type === 'epoch') print(`  epoch ${event.epoch + 1}: loss ${event.loss.toFixed(4)}`);
      if (event.type === 'evaluation' && event.metrics.accuracy !== undefined) {
        print(`  accuracy ${percent(event.metrics.accuracy)} after ${(event.time / 1000).toFixed(1)} s`);
      }
    }
  };
}
