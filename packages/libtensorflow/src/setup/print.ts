import type { Progress } from './install.ts';

/** Prints steps as lines and progress as a bar, on a terminal; elsewhere steps alone. */
export function printer(out: NodeJS.WriteStream = process.stderr): Progress & { done(): void } {
  let open = false;
  const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const close = (): void => {
    if (open) out.write('\r\x1b[K');
    open = false;
  };
  return {
    step(text): void {
      close();
      out.write(`${text}\n`);
    },
    bytes(done, total): void {
      if (!out.isTTY) return;
      open = true;
      if (total === undefined) {
        out.write(`\r\x1b[K  ${mib(done)}`);
        return;
      }
      // pip may hold a file twice for a moment.
      const share = total === 0 ? 0 : Math.min(1, done / total);
      const filled = Math.round(share * 30);
      const bar = `${'█'.repeat(filled)}${'░'.repeat(30 - filled)}`;
      out.write(`\r\x1b[K  ${bar} ${Math.round(share * 100)} % ${mib(share * total)} of ${mib(total)}`);
    },
    done: close,
  };
}
