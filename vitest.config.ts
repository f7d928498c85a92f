import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const support = fileURLToPath(new URL('tests/support/index.ts', import.meta.url));
const conditions = ['@frugal/source'];

export default defineConfig({
  resolve: {
    conditions: [...conditions, 'module', 'browser', 'development|production'],
    alias: { '@frugal/test-support': support },
  },
  ssr: {
    resolve: {
      conditions: [...conditions, 'node', 'development|production'],
      externalConditions: [...conditions, 'node'],
    },
  },
  test: {
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    projects: [
      { extends: true, test: { name: 'core', include: ['packages/*/src/**/*.test.ts'] } },
      { extends: true, test: { name: 'cross', include: ['tests/*/**/*.test.ts'], testTimeout: 300_000 } },
    ],
  },
});
