import { hostname } from 'node:os';
import { join } from 'node:path';
import { jsonl, tensorBoard } from '../listeners/index.ts';
import type { Listener } from '../loop/index.ts';
import { withFileSink } from './file-sink.ts';

/**
 * Appends each event to a file as a line of JSON; a resumed run goes on in the same file.
 *
 * @param path The file; its folder is made where it is missing.
 */
export function jsonlFile(path: string): Listener {
  return (events) => withFileSink(path, (sink) => jsonl((line) => sink.write(line))(events));
}

let files = 0;

/**
 * Writes a run for TensorBoard: `tensorboard --logdir …` shows it while it trains.
 *
 * @param folder The run's own folder, made where it is missing; a resumed run adds a file to it.
 */
export function tensorBoardFolder(folder: string): Listener {
  return (events) => {
    // TensorBoard reads the files of a folder in the order of their names.
    const name = `events.out.tfevents.${Math.floor(Date.now() / 1000)}.${hostname()}.${process.pid}.${files++}`;
    return withFileSink(join(folder, name), (sink) => tensorBoard((bytes) => sink.write(bytes))(events));
  };
}
