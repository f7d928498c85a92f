import { DataArgumentError } from '../errors.ts';
import { lookUp, type Tokenizer } from './tokenizer.ts';

/** A byte-level BPE tokenizer: tokens 0–255 are bytes, token 256 + i joins the two of `merges[i]`. */
export interface BpeTokenizer extends Tokenizer {
  /** All that there is to save: `bpeTokenizer(merges)` makes the tokenizer again. */
  readonly merges: readonly (readonly [number, number])[];
}

/** Tokens never cross these pieces: a word with the space before it, digits, punctuation, white space. */
const pieces = / ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Joins all places in `tokens` where `a` is followed by `b`, from the left. */
function merge(tokens: readonly number[], a: number, b: number, joined: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i] === a && tokens[i + 1] === b) {
      out.push(joined);
      i++;
    } else {
      out.push(tokens[i]!);
    }
  }
  return out;
}

const pairKey = (a: number, b: number): number => a * 2 ** 24 + b;

/**
 * A tokenizer from the merges that `trainBpe` learnt.
 *
 * Any text is encoded, and `decode(encode(text))` is the text (lone surrogates apart).
 *
 * @throws {DataArgumentError} If a merge joins a token that does not exist yet.
 */
export function bpeTokenizer(merges: readonly (readonly [number, number])[]): BpeTokenizer {
  const bytes: Uint8Array[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  const ranks = new Map<number, number>();
  for (const [i, [a, b]] of merges.entries()) {
    const [first, second] = [bytes[a], bytes[b]];
    if (first === undefined || second === undefined) {
      throw new DataArgumentError(`merges[${i}] is [${a}, ${b}], but there are only ${bytes.length} tokens by then.`);
    }
    ranks.set(pairKey(a, b), i);
    bytes.push(Uint8Array.of(...first, ...second));
  }
  const encodePiece = (piece: string): readonly number[] => {
    let tokens: number[] = [...new TextEncoder().encode(piece)];
    for (;;) {
      let rank = Number.POSITIVE_INFINITY;
      for (let i = 1; i < tokens.length; i++) {
        rank = Math.min(rank, ranks.get(pairKey(tokens[i - 1]!, tokens[i]!)) ?? rank);
      }
      if (rank === Number.POSITIVE_INFINITY) return tokens;
      const [a, b] = merges[rank]!;
      tokens = merge(tokens, a, b, 256 + rank);
    }
  };
  return {
    merges,
    size: bytes.length,
    encode(text) {
      // Words repeat: a cache for this call keeps what was encoded once.
      const known = new Map<string, readonly number[]>();
      const out: number[] = [];
      for (const [piece] of text.matchAll(pieces)) {
        let tokens = known.get(piece);
        if (tokens === undefined) {
          tokens = encodePiece(piece);
          known.set(piece, tokens);
        }
        for (const token of tokens) out.push(token);
      }
      return Int32Array.from(out);
    },
    decode(tokens) {
      const parts = Array.from(tokens, (token) => lookUp(bytes, token));
      const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of parts) {
        out.set(part, at);
        at += part.length;
      }
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(out);
    },
  };
}

interface Word {
  tokens: number[];
  readonly count: number;
}

/**
 * Learns a byte-level BPE tokenizer (Sennrich et al., arXiv 1508.07909): joins the most frequent neighbours again and again.
 *
 * Ties go to the smaller pair of token numbers, so a text gives one tokenizer. Stops early when no pair occurs twice.
 *
 * @param text Training text; a megabyte and 1,024 tokens take about a second.
 * @param options.size Tokens in all, ≥ 256 (the bytes).
 * @throws {DataArgumentError} If `size` is out of range.
 */
export function trainBpe(text: string, options: { readonly size: number }): BpeTokenizer {
  const { size } = options;
  if (!Number.isSafeInteger(size) || size < 256 || size > 2 ** 20) {
    throw new DataArgumentError(`size is ${size}. Pass an integer from 256 (the bytes alone) to ${2 ** 20}.`);
  }
  const frequency = new Map<string, number>();
  for (const [piece] of text.matchAll(pieces)) frequency.set(piece, (frequency.get(piece) ?? 0) + 1);
  const words: Word[] = [...frequency].map(([piece, count]) => ({
    tokens: [...new TextEncoder().encode(piece)],
    count,
  }));

  const counts = new Map<number, number>();
  const places = new Map<number, Set<Word>>();
  const tally = (word: Word, sign: 1 | -1): void => {
    for (let i = 1; i < word.tokens.length; i++) {
      const pair = pairKey(word.tokens[i - 1]!, word.tokens[i]!);
      const count = (counts.get(pair) ?? 0) + sign * word.count;
      if (count === 0) counts.delete(pair);
      else counts.set(pair, count);
      if (sign === 1) places.set(pair, (places.get(pair) ?? new Set()).add(word));
    }
  };
  for (const word of words) tally(word, 1);

  const merges: [number, number][] = [];
  while (256 + merges.length < size) {
    let best = -1;
    let most = 1;
    for (const [pair, count] of counts) {
      if (count > most || (count === most && best !== -1 && pair < best)) [best, most] = [pair, count];
    }
    if (best === -1) break;
    const [a, b] = [Math.floor(best / 2 ** 24), best % 2 ** 24];
    const joined = 256 + merges.length;
    merges.push([a, b]);
    for (const word of places.get(best) ?? []) {
      tally(word, -1);
      word.tokens = merge(word.tokens, a, b, joined);
      tally(word, 1);
    }
    places.delete(best);
  }
  return bpeTokenizer(merges);
}
