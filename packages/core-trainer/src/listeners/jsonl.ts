import type { Listener } from '../loop/index.ts';

/**
 * Writes each event as a line of JSON. What JSON cannot hold (NaN, infinity) becomes null.
 *
 * @param write Takes one line with its newline; a promise is awaited. In Node, `jsonlFile` writes a file.
 */
export function jsonl(write: (line: string) => void | Promise<void>): Listener {
  return async (events) => {
    for await (const event of events) await write(`${JSON.stringify(event)}\n`);
  };
}
