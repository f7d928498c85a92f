import { describeBackends as describeProviders, useBackend as useProviders } from '../backend/index.ts';
import type { BackendProvider, Report, Started } from '../seams/index.ts';
import { type BackendName, backendByName, backendNames } from './providers.ts';

/** A backend by name, or as a value. */
export type BackendChoice = BackendName | BackendProvider;

/** A provider that is passed over where it would calculate on an emulated device, slower than plain JavaScript. */
function hardwareOnly(provider: BackendProvider): BackendProvider {
  const describe = async (): Promise<Report> => {
    const report = await provider.describe();
    if (!report.available || report.details.software !== true) return report;
    const fix = `Ask for it by name: useBackend('${report.name}').`;
    return { ...report, available: false, reason: 'Its only device is emulated in software, slower than wasm.', fix };
  };
  return {
    name: provider.name,
    describe,
    async start(): Promise<Started> {
      const report = await describe();
      if (!report.available) throw new Error(report.reason);
      return provider.start();
    },
  };
}

async function toProviders(choice: BackendChoice | 'auto' | readonly BackendChoice[]): Promise<BackendProvider[]> {
  if (choice === 'auto') {
    const names = backendNames.filter((name) => name !== 'webgl');
    return (await Promise.all(names.map((name) => backendByName(name)))).map(hardwareOnly);
  }
  const list = Array.isArray(choice) ? (choice as readonly BackendChoice[]) : [choice as BackendChoice];
  return Promise.all(list.map((one) => (typeof one === 'string' ? backendByName(one) : one)));
}

/**
 * Starts a backend by name, in Node; packages are looked for from the working directory.
 *
 *     await useBackend('auto')            // tensorflow, webgpu (on a real device), wasm, cpu: the first that works
 *     await useBackend('wasm')
 *     await useBackend(['webgpu', wasm({ threads: 2 })])
 *
 * @returns What was started, and why not those before it.
 * @throws {NoBackendError} If none works; says what to install.
 */
export async function useBackend(choice: BackendChoice | 'auto' | readonly BackendChoice[] = 'auto'): Promise<Started> {
  return useProviders(await toProviders(choice));
}

/** What each of the named backends says of itself, without starting any; all of them if left out. */
export async function describeBackends(names: readonly BackendName[] = backendNames): Promise<Report[]> {
  return describeProviders(await Promise.all(names.map((name) => backendByName(name))));
}
