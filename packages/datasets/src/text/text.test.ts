import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readMobyDick } from '../node/index.ts';
import { bpeTokenizer, trainBpe } from './bpe.ts';
import { splitSequence, tokenDataset } from './token-dataset.ts';
import { charTokenizer } from './tokenizer.ts';

const book = await readMobyDick();
const key = { hi: 5, lo: 6 };

test('Moby-Dick is all there', () => {
  expect(book.length).toBe(1_190_317);
  expect(book.startsWith('CHAPTER 1. Loomings.\n\nCall me Ishmael.')).toBe(true);
  expect(book).not.toContain('\r');
});

describe('charTokenizer', () => {
  test('encodes and decodes the book', () => {
    const tokenizer = charTokenizer(book);
    expect(tokenizer.size).toBe(83);
    const tokens = tokenizer.encode(book);
    expect(tokens.length).toBe(book.length);
    expect(tokenizer.decode(tokens)).toBe(book);
  });

  test('counts code points, and is strict about strange characters', () => {
    const tokenizer = charTokenizer('bażant 🦢');
    expect(tokenizer.alphabet).toEqual([' ', 'a', 'b', 'n', 't', 'ż', '🦢']);
    expect(() => tokenizer.encode('x')).toThrow(/'x' is not in the alphabet/);
    expect(() => tokenizer.decode([7])).toThrow(/token 7 is unknown. There are 0 to 6/);
    const lenient = charTokenizer('abc?', { unknown: '?' });
    expect(lenient.decode(lenient.encode('abxc'))).toBe('ab?c');
    expect(() => charTokenizer('abc', { unknown: '?' })).toThrow(/unknown is '\?'/);
    expect(() => charTokenizer('')).toThrow(/text is empty/);
  });
});

/** BPE as one would write it first: recounts everything for every merge. */
function plainMerges(words: string[], count: number): [number, number][] {
  let split = words.map((word) => [...new TextEncoder().encode(word)]);
  return Array.from({ length: count }, (_, i) => {
    const counts = new Map<string, number>();
    for (const word of split) {
      for (let j = 1; j < word.length; j++) {
        const pair = `${word[j - 1]},${word[j]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const pairs = [...counts].map(([pair, n]) => [n, ...pair.split(',').map(Number)] as [number, number, number]);
    const [, a, b] = pairs.toSorted((p, q) => q[0] - p[0] || p[1] - q[1] || p[2] - q[2])[0]!;
    split = split.map((word) => {
      const out: number[] = [];
      for (const token of word) {
        if (token === b && out.at(-1) === a && out.length > 0) out.splice(-1, 1, 256 + i);
        else out.push(token);
      }
      return out;
    });
    return [a, b];
  });
}

describe('BPE', () => {
  test('learns what a plain implementation learns', () => {
    const text = book.slice(0, 20_000);
    const words = text.match(/ ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu)!;
    expect(words.join('')).toBe(text);
    expect(trainBpe(text, { size: 256 + 60 }).merges).toEqual(plainMerges(words, 60));
  });

  test('makes the book shorter, and reads back what it wrote', () => {
    const tokenizer = trainBpe(book.slice(0, 300_000), { size: 512 });
    expect(tokenizer.size).toBe(512);
    const held = book.slice(600_000, 700_000);
    const tokens = tokenizer.encode(held);
    expect(tokenizer.decode(tokens)).toBe(held);
    expect(tokens.length).toBeLessThan(held.length / 1.9);
    expect(bpeTokenizer(tokenizer.merges).encode(held)).toEqual(tokens);
  });

  test('decodes what it encoded, for any text', () => {
    const tokenizer = trainBpe(book.slice(0, 50_000), { size: 300 });
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  test('stops when nothing repeats, and refuses nonsense', () => {
    expect(trainBpe('ab', { size: 1000 }).size).toBe(256);
    expect(() => trainBpe('ab', { size: 255 })).toThrow(/size is 255/);
    expect(() => bpeTokenizer([[256, 1]])).toThrow(/merges\[0\] is \[256, 1\]/);
  });
});

describeEachBackend('tokenDataset', () => {
  const tokens = Int32Array.from({ length: 103 }, (_, i) => i);

  async function windows(options: { shuffle?: boolean; epoch: number; from?: number }): Promise<number[]> {
    const starts: number[] = [];
    const { shuffle = true, ...rest } = options;
    const dataset = tokenDataset(tokens, { context: 10, batchSize: 4, shuffle });
    for await (const { tokens: windows } of dataset.batches({ key, ...rest })) {
      expect([windows.dtype, windows.shape[1]]).toEqual(['int32', 11]);
      for (const [i, token] of (await windows.data()).entries()) {
        if (i % 11 === 0) starts.push(token);
        else expect(token).toBe(starts.at(-1)! + (i % 11));
      }
      windows.dispose();
    }
    return starts;
  }

  test('reads in order without shuffling', async () => {
    expect(await windows({ shuffle: false, epoch: 3 })).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  });

  test('shuffled windows do not overlap, differ between epochs, and resume', async () => {
    const first = await windows({ epoch: 0 });
    const sorted = first.toSorted((a, b) => a - b);
    expect(sorted).toEqual(Array.from({ length: 9 }, (_, i) => sorted[0]! + 10 * i));
    expect(first).not.toEqual(sorted);
    expect(await windows({ epoch: 1 })).not.toEqual(first);
    expect(await windows({ epoch: 0, from: 1 })).toEqual(first.slice(4));
  });

  test('starts everywhere over the epochs', async () => {
    const firsts = new Set<number>();
    for (let epoch = 0; epoch < 80; epoch++) firsts.add(Math.min(...(await windows({ epoch }))));
    expect([...firsts].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('leaks nothing and refuses short texts', async () => {
    await expectNoLeak(() => windows({ epoch: 0 }));
    expect(() => tokenDataset(tokens, { context: 52, batchSize: 1 })).toThrow(/context 52 needs 104 or more/);
  });
});

test('splitSequence cuts at the share', () => {
  expect(splitSequence('abcdefghij', 0.2)).toEqual({ train: 'abcdefgh', validation: 'ij' });
  expect(splitSequence(Int32Array.of(1, 2), 0.5).validation).toEqual(Int32Array.of(2));
  expect(() => splitSequence('ab', 1)).toThrow(/share is 1/);
});
