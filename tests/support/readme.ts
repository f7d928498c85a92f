import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** The folder names of all packages. */
export function packageNames(): string[] {
  return readdirSync(join(root, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

/** What a package's README tells the reader to install and to run. */
export interface Readme {
  /** The words after `npm install`. */
  install: string[];
  /** The fenced `ts` blocks. */
  snippets: string[];
}

/** Reads `README.md` in a folder of the repository. */
export function readReadme(folder: string): Readme {
  const text = readFileSync(join(root, folder, 'README.md'), 'utf8');
  const install = /^\s*npm (?:i|install) (.+)$/m.exec(text)?.[1] ?? '';
  const snippets = [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1] ?? '');
  return { install: install.split(/\s+/).filter((word) => word !== '' && !word.startsWith('-')), snippets };
}
