import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { BackendProvider, Report, Started } from '../seams/index.ts';

/** tfjs's plain JavaScript backend: runs everywhere, slow; the reference of the tests. */
export function cpu(): BackendProvider {
  const load = async (): Promise<void> => {
    await import('@tensorflow/tfjs-backend-cpu');
  };
  return {
    name: 'cpu',
    async describe(): Promise<Report> {
      try {
        await load();
        return { name: 'cpu', available: true, reason: 'Plain JavaScript runs everywhere.', details: {} };
      } catch {
        const reason = '@tensorflow/tfjs-backend-cpu is not installed.';
        return { name: 'cpu', available: false, reason, fix: 'npm install @tensorflow/tfjs-backend-cpu', details: {} };
      }
    },
    async start(): Promise<Started> {
      const report = await this.describe();
      if (!report.available) throw new FrugalError('BACKEND_MISSING', `${report.reason} Run '${report.fix}'.`);
      await tf.setBackend('cpu');
      return { name: 'cpu', reason: report.reason, details: report.details };
    },
  };
}
