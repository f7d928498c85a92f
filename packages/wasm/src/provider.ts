import type { BackendProvider, Report, Started } from '@frugal/tensor';
import { sharingAllowed } from './start/backend.ts';
import { hasSimd } from './start/variant.ts';
import { type TrainableOptions, trainable } from './trainable.ts';

/**
 * tfjs's WebAssembly backend with our kernels, for `useBackend`: `await useBackend(wasm())`.
 *
 * @param options As for `trainable`.
 */
export function wasm(options: TrainableOptions = {}): BackendProvider {
  return {
    name: 'wasm',
    async describe(): Promise<Report> {
      if (typeof WebAssembly !== 'object') {
        return { name: 'wasm', available: false, reason: 'This machine has no WebAssembly.', details: {} };
      }
      if (!hasSimd()) {
        const fix = 'Use a newer browser, or Node 20 or newer.';
        return { name: 'wasm', available: false, reason: 'WebAssembly has no SIMD here.', fix, details: {} };
      }
      const { allowed, reason } = sharingAllowed();
      const details = { threads: allowed, threadsReason: reason };
      return { name: 'wasm', available: true, reason: 'WebAssembly with SIMD runs here.', details };
    },
    async start(): Promise<Started> {
      const report = await trainable(options);
      const threads = report.threads === 1 ? `one thread: ${report.threadsReason}` : `up to ${report.threads} threads`;
      const simd = report.relaxed ? 'relaxed SIMD' : `plain SIMD: ${report.relaxedReason}`;
      return { name: 'wasm', reason: `WebAssembly runs here (${simd}; ${threads}).`, details: { ...report } };
    },
  };
}
