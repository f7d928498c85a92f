import type { Event } from '@frugal/tensor';
import type { Listener } from '../loop/index.ts';
import { type Summary, summaryRecord, versionRecord } from './event-file.ts';

function scalars(group: string, values: Readonly<Record<string, number | undefined>>): Summary[] {
  return Object.entries(values).flatMap(([name, scalar]) =>
    scalar === undefined ? [] : [{ tag: `${group}/${name}`, scalar }],
  );
}

/** What TensorBoard shows of an event; nothing of most kinds. */
function summaries(event: Event): Summary[] {
  switch (event.type) {
    case 'step':
      return scalars('step', { loss: event.loss, ...event.metrics });
    case 'epoch':
      return scalars('epoch', { loss: event.loss, ...event.metrics });
    case 'evaluation':
      return scalars('evaluation', event.metrics);
    case 'anomaly':
      return [{ tag: 'notes/anomaly', text: `${event.what} (${event.action})` }];
    case 'note':
      return [{ tag: 'notes/note', text: event.message }];
    default:
      return [];
  }
}

/**
 * Writes the scalars of a run as a TensorBoard event file: `step/loss`, `step/learningRate`, `epoch/…`, `evaluation/…`;
 * notes and anomalies as texts.
 *
 * @param write Takes the next bytes of the file; a promise is awaited. In Node, `tensorBoardFolder` makes the file.
 */
export function tensorBoard(write: (bytes: Uint8Array) => void | Promise<void>): Listener {
  return async (events) => {
    const start = Date.now() / 1000;
    await write(versionRecord(start));
    for await (const event of events) {
      const values = summaries(event);
      if (values.length === 0 || !('step' in event)) continue;
      await write(summaryRecord(start + event.time / 1000, event.step, values));
    }
  };
}
