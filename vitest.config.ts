import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { perBackend, slowOnTensorflow } from './tests/per-backend.ts';
import { numericSuites } from './tests/portable/suites.ts';

const support = fileURLToPath(new URL('tests/support/index.ts', import.meta.url));
const source = '@frugal/source';

/** `npm run test:deep` runs many more cases, without budgets. */
const deep = process.env['FRUGAL_DEEP'] === '1';
const patience = deep ? 60 : 1;

/** A suite of its own under tests/, one process after the other where it starts heavy ones itself. */
const suite = (name: string, include: string[], testTimeout: number) => ({
  extends: true as const,
  test: { name, include, testTimeout: testTimeout * patience, hookTimeout: testTimeout * patience },
});

/** A test is run again where Chromium itself has crashed under it, and only there. */
const inChromium = ({ test, ...rest }: ReturnType<typeof suite>) => ({
  ...rest,
  test: { ...test, retry: { count: 1, condition: /has been closed|Target crashed|Page crashed/ } },
});

/** Numeric suites again, on one backend that is slow or rare. */
const on = (backend: string, include: string[]) => {
  const { extends: all, test } = suite(backend, include, 60_000);
  return { extends: all, test: { ...test, env: { FRUGAL_BACKENDS: backend } } };
};

export default defineConfig({
  resolve: {
    conditions: [source, 'module', 'browser', 'development|production'],
    alias: { '@frugal/test-support': support },
  },
  ssr: { resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] } },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    maxConcurrency: 2,
    setupFiles: [fileURLToPath(new URL('tests/support/setup.ts', import.meta.url))],
    // The wasm kernels are built, not committed; this takes no time where they are up to date.
    globalSetup: fileURLToPath(new URL('packages/wasm/scripts/build.mjs', import.meta.url)),
    projects: [
      suite(
        'core',
        ['packages/*/src/**/*.test.ts', '!packages/{webgpu,libtensorflow,lr-probe}/**', '!packages/tensor/src/node/**'],
        30_000,
      ),
      suite(
        'cross',
        [
          'packages/{lr-probe/src,tensor/src/node}/**/*.test.ts',
          'tests/*/**/*.test.ts',
          '!tests/tarballs/**',
          '!tests/examples/**',
          '!tests/{webgpu,browser,lab}/**',
          '!tests/node-versions/tensorflow.test.ts',
        ],
        180_000,
      ),
      on('webgpu', [
        'packages/webgpu/src/**/*.test.ts',
        ...numericSuites,
        'tests/webgpu/**/*.test.ts',
        'tests/autodiff/hvp.test.ts',
        'tests/replay/**/*.test.ts',
      ]),
      inChromium(suite('browser', ['tests/{browser,lab}/**/*.test.ts', '!tests/lab/examples.test.ts'], 120_000)),
      inChromium(suite('pages', ['tests/lab/examples.test.ts'], 120_000)),
      // Where TensorFlow is not set up, the numeric suites are skipped.
      on('tensorflow', [
        'packages/libtensorflow/src/**/*.test.ts',
        ...perBackend().filter((path) => deep || !slowOnTensorflow.has(path)),
        'tests/node-versions/tensorflow.test.ts',
        'tests/autodiff/hvp.test.ts',
        'tests/replay/**/*.test.ts',
      ]),
      suite('tarballs', ['tests/tarballs/**/*.test.ts'], 120_000),
      suite('examples', ['tests/examples/**/*.test.ts'], 120_000),
    ],
  },
});
