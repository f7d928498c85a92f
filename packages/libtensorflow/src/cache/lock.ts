import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LibtensorflowError } from '../errors.ts';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The process that holds a lock; undefined if it is gone, or never wrote its number. */
async function holder(path: string): Promise<number | undefined> {
  const pid = Number(await readFile(join(path, 'pid'), 'utf8').catch(() => ''));
  return pid > 0 && isAlive(pid) ? pid : undefined;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Takes a lock that other processes respect; one whose process has died is taken over.
 *
 * @returns What releases it.
 * @throws {LibtensorflowError} `LOCKED` if somebody else works on the same installation.
 */
export async function takeLock(root: string, name: string): Promise<() => Promise<void>> {
  const path = join(root, `.${name}.lock`);
  await mkdir(root, { recursive: true });
  for (let attempt = 0; ; attempt++) {
    try {
      await mkdir(path);
      await writeFile(join(path, 'pid'), String(process.pid));
      return () => rm(path, { recursive: true, force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    let pid = await holder(path);
    if (pid === undefined) {
      // Its number may be about to be written.
      await pause(50);
      pid = await holder(path);
    }
    if (pid !== undefined || attempt > 5) {
      throw new LibtensorflowError(
        'LOCKED',
        `Process ${pid ?? '(unknown)'} is setting up ${name} right now.`,
        'Wait for it and run the command again.',
      );
    }
    await rm(path, { recursive: true, force: true });
  }
}

/** A name for what is not finished; the number tells whose it is. */
export const unfinishedName = (name: string): string => `.${name}.tmp${process.pid}`;

/** Removes what processes that died have left. */
export async function removeLeftovers(root: string): Promise<void> {
  for (const name of await readdir(root).catch(() => [])) {
    const pid = /^\..*\.tmp(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(root, name), { recursive: true, force: true });
  }
}

function readPid(lock: string): string {
  try {
    return readFileSync(join(lock, 'pid'), 'utf8');
  } catch {
    return '';
  }
}

/** Removes what this process holds and has not finished, at once: for the moment it is ended. */
export function removeOwn(root: string): void {
  const own = String(process.pid);
  for (const name of existsSync(root) ? readdirSync(root) : []) {
    const path = join(root, name);
    const isOurs = name.endsWith('.lock') ? readPid(path) === own : name.endsWith(`.tmp${own}`);
    if (isOurs) rmSync(path, { recursive: true, force: true });
  }
}
