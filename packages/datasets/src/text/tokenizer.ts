import { DataArgumentError } from '../errors.ts';

/** Turns text into token numbers and back. */
export interface Tokenizer {
  /** How many different tokens there are. */
  readonly size: number;
  encode(text: string): Int32Array;
  decode(tokens: ArrayLike<number>): string;
}

/** A tokenizer with one token per character. */
export interface CharTokenizer extends Tokenizer {
  /** The characters by token number. */
  readonly alphabet: readonly string[];
}

/**
 * A tokenizer over the characters (code points) of a text, in code point order.
 *
 * `encode` throws on a character that is not in the alphabet, unless `unknown` says which one stands for it.
 *
 * @param text Anything that holds every character; encode training text, or pass an alphabet.
 * @throws {DataArgumentError} If there are no characters, or `unknown` is not one of them.
 */
export function charTokenizer(text: string, options: { readonly unknown?: string } = {}): CharTokenizer {
  const alphabet = [...new Set(text)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  if (alphabet.length === 0) throw new DataArgumentError('text is empty. Pass a text that holds every character.');
  const numbers = new Map(alphabet.map((character, i) => [character, i]));
  const { unknown } = options;
  const fallback = unknown === undefined ? undefined : numbers.get(unknown);
  if (unknown !== undefined && fallback === undefined) {
    throw new DataArgumentError(`unknown is '${unknown}', which is not in the alphabet. Pass one of its characters.`);
  }
  return {
    alphabet,
    size: alphabet.length,
    encode(input) {
      const out: number[] = [];
      for (const character of input) {
        const token = numbers.get(character) ?? fallback;
        if (token === undefined) {
          throw new DataArgumentError(`'${character}' is not in the alphabet. Set unknown to a character for it.`);
        }
        out.push(token);
      }
      return Int32Array.from(out);
    },
    decode: (tokens) => Array.from(tokens, (token) => lookUp(alphabet, token)).join(''),
  };
}

/** The entry of a token, or an error that says what range there is. */
export function lookUp<T>(entries: readonly T[], token: number): T {
  const entry = entries[token];
  if (entry === undefined)
    throw new DataArgumentError(`token ${token} is unknown. There are 0 to ${entries.length - 1}.`);
  return entry;
}
