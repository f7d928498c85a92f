// What bundlers take for a page: the same names, and a provider that says why it cannot start there.
import type { BackendProvider, Report } from '@frugal/tensor';
import { LibtensorflowError } from './errors.ts';

export { LibtensorflowError } from './errors.ts';

const REASON = 'TensorFlow runs in Node, not in a page.';
const FIX = 'Use @frugal/webgpu or @frugal/wasm here.';

/** As in Node, but never available: `useBackend([tensorflow(), wasm()])` passes it over. */
export function tensorflow(): BackendProvider {
  return {
    name: 'tensorflow',
    describe: async (): Promise<Report> => ({
      name: 'tensorflow',
      available: false,
      reason: REASON,
      fix: FIX,
      details: {},
    }),
    start: async () => load(),
  };
}

/** Throws: there is no tfjs-node in a page. */
export function load(): never {
  throw new LibtensorflowError('UNSUPPORTED_PLATFORM', REASON, FIX);
}

/** Nothing is set up in a page. */
export function listInstallations(): [] {
  return [];
}
