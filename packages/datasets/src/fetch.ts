import { MissingDataError } from './errors.ts';

/** How data is fetched. */
export interface FetchOptions {
  readonly signal?: AbortSignal;
  /** Instead of the platform's `fetch`. */
  readonly fetch?: (url: string, init?: RequestInit) => Promise<Response>;
}

/** Whether bytes start like a gzip file. */
function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Unpacks gzip; bytes that are not gzipped are returned as they are. */
export async function gunzip(bytes: Uint8Array): Promise<Uint8Array> {
  if (!isGzip(bytes)) return bytes;
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Fetches a file, unpacked where it is gzipped.
 *
 * @throws {MissingDataError} If the server does not answer, or with an error.
 */
export async function fetchBytes(url: string | URL, options: FetchOptions = {}): Promise<Uint8Array> {
  const { signal, fetch: get = fetch } = options;
  let response: Response;
  try {
    response = await get(String(url), signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new MissingDataError(`${url} could not be fetched: ${(error as Error).message}`, { cause: error });
  }
  if (!response.ok) throw new MissingDataError(`${url} answered ${response.status}. Check the address.`);
  return gunzip(new Uint8Array(await response.arrayBuffer()));
}

/** Fetches UTF-8 text, unpacked where it is gzipped; line ends become `\n`. */
export async function fetchText(url: string | URL, options: FetchOptions = {}): Promise<string> {
  return decodeText(await fetchBytes(url, options));
}

/** UTF-8 bytes as text with `\n` at line ends and no byte order mark. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replaceAll('\r\n', '\n');
}
