import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fillUniform, foldIn, key } from '@frugal/tensor';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';

const deep = process.env.FRUGAL_DEEP === '1';
const runs = deep ? 200 : 10;
const seed = Number(process.env.FRUGAL_SEED ?? Date.now() % 1e6);
const timeout = deep ? 3_600_000 : 170_000;

const here = fileURLToPath(new URL('.', import.meta.url));
let folder: string;
let program: string;

/** When to kill: so many ms after training began, or after a checkpoint write began. */
interface Plan {
  readonly after: 'R' | 'W';
  /** Which one. */
  readonly count: number;
  readonly delay: number;
}

interface Attempt {
  readonly killed: boolean;
  readonly resumedAt: number;
  /** What it computed, if it finished. */
  readonly fingerprint: string | undefined;
  /** Milliseconds from beginning to end. */
  readonly ms: number;
}

function attempt(backend: string, path: string, plan?: Plan): Promise<Attempt> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = spawn(process.execPath, [program, backend, path], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const seen = { R: 0, W: 0 };
    let [output, errors, resumedAt, begun] = ['', '', -1, 0];
    let fingerprint: string | undefined;
    const take = (line: string): void => {
      const letter = line[0] as 'R' | 'W' | 'D';
      if (letter === 'D') fingerprint = line;
      else seen[letter]++;
      if (letter === 'R') [resumedAt, begun] = [Number(line.slice(2)), performance.now()];
      if (letter === plan?.after && seen[letter] === plan.count) setTimeout(() => child.kill('SIGKILL'), plan.delay);
    };
    child.stderr!.on('data', (chunk) => {
      errors += chunk;
    });
    child.stdout!.on('data', (chunk) => {
      const lines = (output + chunk).split('\n');
      output = lines.pop()!;
      for (const line of lines) if (/^(R|W|DONE)/.test(line)) take(line);
    });
    child.on('close', (code, signal) => {
      if (signal !== 'SIGKILL' && code !== 0) reject(new Error(`The run failed with ${code ?? signal}:\n${errors}`));
      else resolve({ killed: signal === 'SIGKILL', resumedAt, fingerprint, ms: performance.now() - begun });
    });
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'frugal-kill-'));
  program = join(here, `.run-${process.pid}.mjs`); // beside the test, where imports of tfjs resolve
  await build({
    entryPoints: [join(here, 'run.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    conditions: ['@frugal/source'],
    external: ['@tensorflow/*'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'error',
  });
}, 60_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(program, { force: true });
});

it('a run that was complete gives its result again', async () => {
  const path = join(folder, 'complete');
  const [first, again] = [await attempt('cpu', path), await attempt('cpu', path)];
  expect([first.resumedAt, again.resumedAt]).toEqual([0, 90]);
  expect(again.fingerprint).toBe(first.fingerprint);
}, 60_000);

it(
  `${runs} runs killed at random moments equal the undisturbed one bit for bit (seed ${seed})`,
  async () => {
    const counts = { kills: 0, halfWritten: 0, resumed: 0 };

    const lane = async (backend: string, first: number): Promise<void> => {
      const whole = await attempt(backend, join(folder, `${backend}-whole`));
      expect(whole.fingerprint).toMatch(/^DONE 90 [0-9a-f]{64}$/);
      for (let run = first; run < runs; run += 2) {
        const path = join(folder, `${backend}-${run}`);
        const draws = new Float32Array(3 * 3);
        fillUniform(foldIn(key(seed), run), draws);
        let result: Attempt | undefined;
        const kills = 1 + (run % 3);
        for (let i = 0; result?.fingerprint === undefined; i++) {
          const [which, when, much] = draws.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number];
          const writing = which < 0.6;
          const plan: Plan = {
            after: writing ? 'W' : 'R',
            count: writing ? 1 + Math.floor(when * 6) : 1,
            delay: writing ? 4 * much : whole.ms * much,
          };
          result = await attempt(backend, path, i < kills ? plan : undefined);
          if (result.resumedAt > 0) counts.resumed++;
          if (!result.killed) continue;
          counts.kills++;
          if (existsSync(path) && readdirSync(path).some((name) => name.endsWith('.tmp'))) counts.halfWritten++;
        }
        expect(result.fingerprint, `run ${run} on ${backend}, seed ${seed}`).toBe(whole.fingerprint);
        rmSync(path, { recursive: true, force: true });
      }
    };
    await Promise.all([lane('cpu', 0), lane('wasm', 1)]);

    console.log(
      `${counts.kills} kills, ${counts.halfWritten} of them while a checkpoint was being written; resumed ${counts.resumed} times`,
    );
    expect(counts.kills).toBeGreaterThanOrEqual(runs / 2);
    expect(counts.resumed).toBeGreaterThan(0);
    expect(counts.halfWritten).toBeGreaterThan(0);
  },
  timeout,
);
