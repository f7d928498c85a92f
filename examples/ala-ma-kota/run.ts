import type { ExampleOptions, Io, Target } from '@frugal/example-support';
import { runBook } from './book.ts';
import { runSentence } from './sentence.ts';

/** Options of this example. */
export interface AlaMaKotaOptions extends ExampleOptions {
  /** Goes on to a character model on a whole book. */
  readonly gpt: boolean;
}

/** One sentence first; with `--gpt` a book. */
export async function runAlaMaKota(options: AlaMaKotaOptions, io: Io): Promise<readonly Target[]> {
  const targets = await runSentence(options, io);
  return options.gpt ? [...targets, ...(await runBook(options, io))] : targets;
}
