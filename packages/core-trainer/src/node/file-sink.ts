import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { finished } from 'node:stream/promises';

/** Appends to a file in the background: nobody waits for a write, so a busy loop does not leave its log behind. */
export class FileSink {
  readonly #stream: WriteStream;
  readonly #done: Promise<void>;
  #error: unknown;

  private constructor(stream: WriteStream) {
    this.#stream = stream;
    this.#done = finished(stream);
    this.#done.catch((error: unknown) => {
      this.#error = error;
    });
  }

  /** Makes the folder where it is missing; writes go after what the file holds. */
  static async open(path: string): Promise<FileSink> {
    await mkdir(dirname(path), { recursive: true });
    return new FileSink(createWriteStream(path, { flags: 'a' }));
  }

  /** @throws What an earlier write failed with. */
  write(bytes: string | Uint8Array): void {
    if (this.#error !== undefined) throw this.#error;
    this.#stream.write(bytes);
  }

  /** Waits until everything is written. @throws What a write failed with. */
  async close(): Promise<void> {
    this.#stream.end();
    await this.#done;
  }
}

/** Runs `body` with an open file and closes it, whatever happens. */
export async function withFileSink(path: string, body: (sink: FileSink) => Promise<void>): Promise<void> {
  const sink = await FileSink.open(path);
  try {
    await body(sink);
  } finally {
    await sink.close();
  }
}
