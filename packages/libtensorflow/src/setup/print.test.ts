import { expect, it } from 'vitest';
import { printer } from './print.ts';

/** What is written, with the line ends of a terminal. */
function shown(isTTY: boolean, use: (print: ReturnType<typeof printer>) => void): string {
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  const out = { isTTY, write } as unknown as NodeJS.WriteStream;
  use(printer(out));
  return text;
}

const work = (print: ReturnType<typeof printer>): void => {
  print.step('Extracting');
  print.bytes(2 ** 20, 4 * 2 ** 20);
  print.bytes(9 * 2 ** 20, 4 * 2 ** 20);
  print.bytes(3 * 2 ** 20);
  print.step('Compiling');
  print.done();
};

it('shows a bar on a terminal, and takes it away before the next line', () => {
  const [clear, filled] = ['\r\x1b[K', '█'.repeat(8) + '░'.repeat(22)];
  expect(shown(true, work)).toBe(
    `Extracting\n${clear}  ${filled} 25 % 1 MiB of 4 MiB${clear}  ${'█'.repeat(30)} 100 % 4 MiB of 4 MiB${clear}  3 MiB${clear}Compiling\n`,
  );
});

it('prints steps alone into a file', () => {
  expect(shown(false, work)).toBe('Extracting\nCompiling\n');
});
