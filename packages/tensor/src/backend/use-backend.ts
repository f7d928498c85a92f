import { FrugalError } from '../errors.ts';
import type { BackendProvider, Report, Started } from '../seams/index.ts';
import { ensureGradients } from './gradients.ts';

/** None of the asked backends could be started; `reports` says why, one by one. */
export class NoBackendError extends FrugalError {
  readonly reports: readonly Report[];

  constructor(reports: readonly Report[]) {
    const lines = reports.map(
      (report) => `- ${report.name}: ${report.reason}${report.fix === undefined ? '' : ` Fix: ${report.fix}`}`,
    );
    super('NO_BACKEND', `None of the asked backends works here.\n${lines.join('\n')}`);
    this.reports = reports;
  }
}

/**
 * Starts a backend, makes it tfjs's current one and registers tfjs's gradients.
 *
 * With a list, the first that works is taken, and the returned reason says why the earlier ones were not.
 *
 * @param providers One backend or several in order of preference, e.g. `[webgpu(), wasm(), cpu()]`.
 * @returns What was started and why.
 * @throws {NoBackendError} If none works.
 */
export async function useBackend(providers: BackendProvider | readonly BackendProvider[]): Promise<Started> {
  const list = Array.isArray(providers) ? (providers as readonly BackendProvider[]) : [providers as BackendProvider];
  const failed: Report[] = [];
  for (const provider of list) {
    try {
      const started = await provider.start();
      await ensureGradients();
      const passed = failed.map((report) => `${report.name} was passed over: ${report.reason}`);
      return { ...started, reason: [started.reason, ...passed].join(' ') };
    } catch (error) {
      if (error instanceof FrugalError && (error.code === 'NO_GRADIENTS' || error.code === 'TWO_CORES')) throw error;
      const report = await provider.describe();
      failed.push(report.available ? { ...report, available: false, reason: (error as Error).message } : report);
    }
  }
  throw new NoBackendError(failed);
}

/** What each backend says of itself, without starting any. */
export async function describeBackends(providers: readonly BackendProvider[]): Promise<Report[]> {
  return Promise.all(providers.map((provider) => provider.describe()));
}
