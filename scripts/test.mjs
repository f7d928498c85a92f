// npm test: sets up, then runs every suite within its budget and adds up what vitest counted.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { root, setup } from './setup.mjs';

const deep = process.argv.includes('--deep');
const only = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

/** Suites are vitest projects; budgets in seconds, as in tests/README.md. */
const suites = [
  { project: 'core', budget: 240 },
  { project: 'cross', budget: 180 },
  { project: 'webgpu', budget: 180 },
  { project: 'browser', budget: 120 },
  { project: 'pages', budget: 90 },
  { project: 'tensorflow', budget: 180 },
  { project: 'tarballs', budget: 90 },
  { project: 'examples', budget: 90 },
];

const reports = mkdtempSync(join(tmpdir(), 'frugal-test-'));
const rows = [];
const totals = { passed: 0, failed: 0, skipped: 0 };
/** What went wrong, said again at the end of a long log. */
const failures = [];

function record(suite, seconds, budget, counts, exit) {
  const over = !deep && seconds > budget;
  if (over) failures.push(`${suite} took ${seconds.toFixed(0)} s, its budget is ${budget} s.`);
  if (over || (exit !== 0 && counts.failed === 0)) counts.failed += 1;
  for (const key of Object.keys(totals)) totals[key] += counts[key];
  rows.push({ suite, seconds: Number(seconds.toFixed(1)), budget, ...counts });
}

function runSuite({ project, budget }) {
  const outputFile = join(reports, `${project}.json`);
  const start = performance.now();
  const { status } = spawnSync(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--project',
      project,
      '--reporter=dot',
      '--reporter=json',
      `--outputFile.json=${outputFile}`,
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, ...(deep ? { FRUGAL_DEEP: '1' } : {}) } },
  );
  const counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    const report = JSON.parse(readFileSync(outputFile, 'utf8'));
    counts.passed = report.numPassedTests;
    counts.failed = report.numFailedTests;
    counts.skipped = report.numPendingTests + report.numTodoTests;
    for (const { name, message, assertionResults } of report.testResults) {
      const failed = assertionResults.filter(({ status }) => status === 'failed');
      if (failed.length === 0 && message) failures.push(`${project}: ${relative(root, name)}: ${message}`);
      for (const { fullName, failureMessages } of failed) {
        failures.push(`${project}: ${relative(root, name)}: ${fullName}\n  ${failureMessages[0]?.slice(0, 1000)}`);
      }
    }
  } catch {
    failures.push(`${project}: vitest left no report.`);
  }
  record(project, (performance.now() - start) / 1000, budget, counts, status);
}

const seconds = setup({ build: true });
record('set-up', seconds, 180, { passed: 0, failed: 0, skipped: 0 }, 0);
for (const suite of suites) if (only.length === 0 || only.includes(suite.project)) runSuite(suite);

console.table(rows);
for (const failure of failures) console.error(failure);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
if (deep && only.length === 0) {
  const { finish } = await import('../benchmarks/harness.ts');
  const seconds = Object.fromEntries(rows.map((row) => [`${row.suite.replace('-', '_')}_seconds`, row.seconds]));
  finish('test-deep', { ...totals, ...seconds }, 'runs');
}
process.exit(totals.failed === 0 ? 0 : 1);
