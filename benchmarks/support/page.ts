import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digits, git, machine, root } from '../harness.ts';

const folder = join(root, 'docs', 'results');

const cell = (value: string | number | undefined): string =>
  typeof value === 'number' ? String(digits(value)) : (value ?? '');

/** A table in Markdown, its columns padded as the formatter wants them; numbers with four significant digits. */
export function markdown(rows: readonly Readonly<Record<string, string | number>>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const widths = columns.map((name) => Math.max(3, name.length, ...rows.map((row) => cell(row[name]).length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text, i) => text.padEnd(widths[i]!)).join(' | ')} |`;
  return [
    line(columns),
    line(widths.map((width) => '-'.repeat(width))),
    ...rows.map((row) => line(columns.map((name) => cell(row[name])))),
  ].join('\n');
}

/** What a table was measured by: commit, machine, processor minutes. */
export const measuredAt = (minutes: number): string =>
  `At commit ${git('rev-parse', '--short=7', 'HEAD')}, ${machine()}; ${minutes.toFixed(0)} minutes of processor time.`;

/** Writes a picture into docs/results; `name` without its ending. */
export function writePicture(name: string, svg: string): void {
  writeFileSync(join(folder, `${name}.svg`), svg);
}

/** Writes what a picture is drawn of into docs/results, with the commit that it was measured at. */
export function writeData(name: string, data: object): void {
  const all = { commit: git('rev-parse', 'HEAD'), ...data };
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(all, null, 2)}\n`);
}

/** Reads what `writeData` wrote, or a result of `runs/`. */
export function readData<T>(name: string, from: 'docs/results' | 'runs/results' = 'docs/results'): T {
  return JSON.parse(readFileSync(join(root, from, `${name}.json`), 'utf8')) as T;
}

/** Puts text between the marks `<!-- NAME … -->` and `<!-- end of NAME -->` of a page in docs/results. */
export function fillPage(page: string, name: string, parts: readonly string[]): void {
  const path = join(folder, page);
  const text = readFileSync(path, 'utf8');
  const start = text.indexOf(`<!-- ${name}`);
  const [from, to] = [text.indexOf('-->', start) + 3, text.indexOf(`<!-- end of ${name} -->`)];
  if (start < 0 || to < from) throw new Error(`${path} has no marks for ${name}.`);
  writeFileSync(path, `${text.slice(0, from)}\n\n${parts.join('\n\n')}\n\n${text.slice(to)}`);
}
