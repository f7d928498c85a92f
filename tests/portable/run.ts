import { type File, startTests, type Task, type VitestRunner } from '@vitest/runner';
import { seedChance } from '../support/seed.ts';

/** What came of suites: how many tests, and what those said that failed. */
export interface Outcome {
  passed: number;
  skipped: number;
  failed: { test: string; message: string }[];
}

/** Importers of suites by their path; each declares its tests when it is imported. */
export type Suites = Readonly<Record<string, () => Promise<unknown>>>;

const TIMEOUT_MS = 300_000;

function collect(task: Task, path: string, outcome: Outcome): void {
  const name = `${path} > ${task.name}`;
  const errors = task.result?.errors ?? [];
  if (task.type === 'suite') {
    if (errors.length > 0) outcome.failed.push({ test: name, message: String(errors[0]!.message) });
    for (const child of task.tasks) collect(child, name, outcome);
    return;
  }
  if (task.result?.state === 'pass') outcome.passed++;
  else if (task.result?.state === 'fail') {
    outcome.failed.push({ test: name, message: String(errors[0]?.message ?? 'failed') });
  } else outcome.skipped++;
}

/** Runs suites one after the other; `told` hears of each file when it is done. */
export async function runSuites(suites: Suites, told: (path: string, outcome: Outcome) => void): Promise<Outcome> {
  const runner: VitestRunner = {
    config: {
      root: '/',
      setupFiles: [],
      name: undefined,
      passWithNoTests: false,
      testNamePattern: undefined,
      allowOnly: false,
      sequence: { seed: 1, hooks: 'stack', setupFiles: 'list' },
      chaiConfig: undefined,
      maxConcurrency: 1,
      testTimeout: TIMEOUT_MS,
      hookTimeout: TIMEOUT_MS,
      retry: 0,
      includeTaskLocation: false,
      tags: [],
      tagsFilter: undefined,
      strictTags: false,
    },
    importFile: async (path) => {
      await suites[path.replace(/^\//, '')]!();
    },
  };
  const whole: Outcome = { passed: 0, skipped: 0, failed: [] };
  for (const path of Object.keys(suites)) {
    seedChance(1);
    const files: File[] = await startTests([`/${path}`], runner);
    const outcome: Outcome = { passed: 0, skipped: 0, failed: [] };
    for (const file of files) {
      const [error] = file.result?.errors ?? [];
      if (error !== undefined) outcome.failed.push({ test: path, message: String(error.message) });
      for (const task of file.tasks) collect(task, path, outcome);
    }
    told(path, outcome);
    whole.passed += outcome.passed;
    whole.skipped += outcome.skipped;
    whole.failed.push(...outcome.failed);
  }
  return whole;
}
