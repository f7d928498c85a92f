import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { fetchBytes } from './fetch.ts';
import { drawImage, fetchIdx, fetchMnist } from './mnist.ts';
import { readIdx, readMnist } from './node/index.ts';
import { measureNormalization, normalizations } from './normalization.ts';

const mnist = await readMnist();

describe('MNIST', () => {
  test('has 60,000 and 10,000 images of ten classes', () => {
    expect([mnist.train.size, mnist.test.size]).toEqual([60_000, 10_000]);
    expect(mnist.train).toMatchObject({ shape: [28, 28, 1], targetShape: [], classes: 10 });
    // The counts of the original files, as published.
    const counts = new Array<number>(10).fill(0);
    for (const label of mnist.train.y) counts[label]!++;
    expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect([...mnist.test.y.subarray(0, 10)]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  });

  test('has the mean and deviation that its normalisation states', () => {
    const { mean, std } = measureNormalization(mnist.train);
    expect(mean).toBeCloseTo(normalizations.mnist.mean, 4);
    expect(std).toBeCloseTo(normalizations.mnist.std, 4);
  });

  test('is drawn as lines of characters', () => {
    const lines = drawImage(mnist.test, 0).split('\n');
    expect([lines.length, lines[0]!.length]).toEqual([28, 56]);
    expect(lines[0]!.trim()).toBe('');
    expect(lines[10]!.trim()).not.toBe('');
    const small = drawImage(mnist.test, 0, { shrink: 2 }).split('\n');
    expect([small.length, small[0]!.length]).toEqual([14, 28]);
    expect(drawImage({ x: Uint8Array.of(255, 255, 0, 0), shape: [2, 2, 1], size: 1 }, 0, { shrink: 2 })).toBe('==');
    expect(() => drawImage(mnist.test, 10_000)).toThrow(/index is 10000/);
  });
});

const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6);
const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 0);

describe('by URL', () => {
  const asked: string[] = [];
  const serve = async (url: string): Promise<Response> => {
    asked.push(url);
    return new Response(new Uint8Array(gzipSync(url.includes('labels') ? labels : images)));
  };

  test('fetches the four files, gzipped or not', async () => {
    const { train, test: held } = await fetchMnist('https://example.org/fashion', { suffix: '.gz', fetch: serve });
    expect(asked.toSorted()).toEqual(
      ['t10k-images-idx3', 't10k-labels-idx1', 'train-images-idx3', 'train-labels-idx1'].map(
        (name) => `https://example.org/fashion/${name}-ubyte.gz`,
      ),
    );
    for (const part of [train, held]) {
      expect(part).toMatchObject({ size: 2, shape: [1, 2, 1], classes: 2 });
      expect([...part.x, ...part.y]).toEqual([9, 8, 7, 6, 1, 0]);
    }
  });

  test('fetches one pair', async () => {
    const pair = await fetchIdx(
      { inputs: 'https://example.org/a', labels: 'https://example.org/labels' },
      { fetch: serve },
    );
    expect([...pair.x]).toEqual([9, 8, 7, 6]);
  });

  test('says what went wrong', async () => {
    const missing = async (): Promise<Response> => new Response('', { status: 404 });
    await expect(fetchBytes('https://example.org/x', { fetch: missing })).rejects.toThrow(/x answered 404/);
    const down = async (): Promise<Response> => {
      throw new TypeError('no route');
    };
    await expect(fetchBytes('https://example.org/x', { fetch: down })).rejects.toThrow(
      /could not be fetched: no route/,
    );
    const controller = new AbortController();
    controller.abort();
    const aborting = async (_: string, init?: RequestInit): Promise<Response> => {
      init?.signal?.throwIfAborted();
      return new Response();
    };
    await expect(
      fetchBytes('https://example.org/x', { fetch: aborting, signal: controller.signal }),
    ).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('from files', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'frugal-datasets-'));
  afterAll(() => rm(folder, { recursive: true }));

  test('any pair of IDX files', async () => {
    await writeFile(join(folder, 'inputs.gz'), gzipSync(images));
    await writeFile(join(folder, 'labels'), labels);
    const pair = await readIdx({ inputs: join(folder, 'inputs.gz'), labels: join(folder, 'labels') });
    expect(pair).toMatchObject({ size: 2, shape: [1, 2, 1] });
    await expect(readMnist({ folder })).rejects.toThrow(/could not be read/);
  });
});
