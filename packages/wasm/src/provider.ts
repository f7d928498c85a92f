import type { BackendProvider, Report, Started } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** tfjs's WebAssembly backend as a Frugal backend. */
export function wasm(): BackendProvider {
  return {
    name: 'wasm',
    async describe(): Promise<Report> {
      const available = typeof WebAssembly === 'object';
      const reason = available ? 'WebAssembly runs here.' : 'This machine has no WebAssembly.';
      return { name: 'wasm', available, reason, details: {} };
    },
    async start(): Promise<Started> {
      await import('@tensorflow/tfjs-backend-wasm');
      await tf.setBackend('wasm');
      return { name: 'wasm', reason: 'WebAssembly runs here.', details: {} };
    },
  };
}
