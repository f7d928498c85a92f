import { SafetensorsError } from './errors.ts';

/** JSON as a safetensors header uses it; numbers that are no integers become `null`, as nothing there may be one. */
export type Json = string | number | boolean | null | Json[] | Map<string, Json>;

const MAX_DEPTH = 8;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * Parses JSON strictly: a repeated key, a lone surrogate and deep nesting are errors, and objects are Maps in file order.
 *
 * `JSON.parse` takes the last of two equal keys, so two readers of one file could see two different models.
 *
 * @throws {SafetensorsError}
 */
export function parseStrictJson(text: string): Json {
  let at = 0;

  const fail = (what: string): never => {
    throw new SafetensorsError('SAFETENSORS_HEADER', `The header is not valid JSON: ${what} at character ${at}.`);
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  // By hand, as a regular expression's stack overflows on megabytes of padding or of text.
  const skipSpace = (): void => {
    while (text[at] === ' ' || text[at] === '\n' || text[at] === '\t' || text[at] === '\r') at++;
  };
  const take = (character: string): boolean => {
    skipSpace();
    if (text[at] !== character) return false;
    at++;
    skipSpace();
    return true;
  };
  const expect = (character: string): void => {
    if (!take(character)) fail(`expected '${character}'`);
  };
  const string = (): string => {
    if (text[at] !== '"') fail('expected a string');
    const start = at++;
    while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    if (at >= text.length) fail('a string without an end');
    at++;
    let value: string;
    try {
      value = JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail('a malformed string before');
    }
    if (LONE_SURROGATE.test(value)) fail('half of a surrogate pair');
    return value;
  };
  const list = (end: string, item: () => void): void => {
    if (take(end)) return;
    do item();
    while (take(','));
    expect(end);
  };
  const object = (depth: number): Map<string, Json> => {
    const entries = new Map<string, Json>();
    list('}', () => {
      const key = string();
      if (entries.has(key)) {
        throw new SafetensorsError('SAFETENSORS_DUPLICATE', `The name ${quote(key)} occurs twice in the header.`);
      }
      expect(':');
      entries.set(key, value(depth + 1));
    });
    return entries;
  };
  const array = (depth: number): Json[] => {
    const items: Json[] = [];
    list(']', () => items.push(value(depth + 1)));
    return items;
  };
  const value = (depth: number): Json => {
    if (depth > MAX_DEPTH) fail(`nesting deeper than ${MAX_DEPTH}`);
    if (take('{')) return object(depth);
    if (take('[')) return array(depth);
    if (text[at] === '"') return string();
    const word = match(WORD);
    if (word !== undefined) return JSON.parse(word) as Json;
    const number = match(NUMBER) ?? fail('expected a value');
    return /[.eE]/.test(number) ? null : Number(number);
  };

  skipSpace();
  const result = value(0);
  skipSpace();
  if (at !== text.length) fail('something after the end');
  return result;
}

/** A name for an error message, bounded in length. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}
