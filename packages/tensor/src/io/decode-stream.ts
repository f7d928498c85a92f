import type { Tensor } from '@tensorflow/tfjs-core';
import { type DecodeOptions, toTensor } from './decode.ts';
import { SafetensorsError } from './errors.ts';
import { headerLength, parseHeader, type SafetensorsHeader } from './header.ts';

const FIRST_BUFFER = 65_536;

/** Takes exact numbers of bytes from pieces of any size; holds at most a small multiple of what has arrived. */
class Reader {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(pieces: AsyncIterator<Uint8Array>) {
    this.#pieces = pieces;
  }

  async take(length: number): Promise<Uint8Array> {
    // Grows with what has arrived: a header may claim anything.
    let out = new Uint8Array(Math.min(length, FIRST_BUFFER));
    let at = 0;
    while (at < length) {
      if (this.#rest.length === 0) await this.#refill(length - at);
      if (at === out.length) {
        const larger = new Uint8Array(Math.min(length, 2 * at));
        larger.set(out);
        out = larger;
      }
      const part = this.#rest.subarray(0, out.length - at);
      out.set(part, at);
      at += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return out;
  }

  async expectEnd(): Promise<void> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#pieces.next();
      if (done === true) return;
      this.#rest = value;
    }
    throw new SafetensorsError('SAFETENSORS_LENGTH', 'The stream goes on after the last tensor.');
  }

  async #refill(missing: number): Promise<void> {
    const { done, value } = await this.#pieces.next();
    if (done === true) throw new SafetensorsError('SAFETENSORS_LENGTH', `The stream ended ${missing} bytes early.`);
    this.#rest = value;
  }
}

/** What a stream of tensors gives first, and then one by one. */
export type StreamItem =
  | { readonly kind: 'header'; readonly header: SafetensorsHeader }
  | { readonly kind: 'tensor'; readonly name: string; readonly tensor: Tensor };

/**
 * Reads a safetensors file as it arrives, e.g. `response.body`: first the header, then each tensor in the order of the data.
 *
 * Memory: one tensor and one piece. The caller owns the tensors that it was given.
 *
 * @throws {SafetensorsError} If the file is not well-formed, as soon as that is seen.
 */
export async function* decodeSafetensorsStream(
  pieces: AsyncIterable<Uint8Array>,
  options: DecodeOptions = {},
): AsyncGenerator<StreamItem, void, undefined> {
  const iterator = pieces[Symbol.asyncIterator]();
  try {
    const reader = new Reader(iterator);
    const length = headerLength(await reader.take(8), options.maxHeaderBytes);
    const header = parseHeader(await reader.take(length));
    yield { kind: 'header', header };
    for (const entry of header.entries.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
      const bytes = await reader.take(entry.end - entry.start);
      yield { kind: 'tensor', name: entry.name, tensor: toTensor(entry, bytes, options.lossy ?? false) };
    }
    await reader.expectEnd();
  } finally {
    await iterator.return?.();
  }
}
