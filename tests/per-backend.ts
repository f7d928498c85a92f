import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The tests beside the code that run over several backends; those of WebGPU have a suite of their own. */
export function perBackend(): string[] {
  return readdirSync(join(root, 'packages'))
    .filter((name) => name !== 'webgpu' && existsSync(join(root, 'packages', name, 'src')))
    .flatMap((name) => {
      const files = readdirSync(join(root, 'packages', name, 'src'), { recursive: true, encoding: 'utf8' });
      return files.filter((path) => path.endsWith('.test.ts')).map((path) => `packages/${name}/src/${path}`);
    })
    .filter((path) => readFileSync(join(root, path), 'utf8').includes('describeEachBackend('));
}

/** A third of the time of all, so only in `test:deep`. */
export const slowOnTensorflow: ReadonlySet<string> = new Set([
  'packages/core-trainer/src/testing/contract.test.ts',
  'packages/early-exit/src/tokens/tokens.test.ts',
  'packages/forward-grad/src/estimators/weight-perturbation.test.ts',
  'packages/forward-grad/src/log/log.test.ts',
  'packages/lr-probe/src/advice/probe.test.ts',
  'packages/lr-probe/src/curvature/lanczos.test.ts',
  'packages/lr-probe/src/no-trace.test.ts',
]);
