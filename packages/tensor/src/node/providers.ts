import * as tf from '@tensorflow/tfjs-core';
import { cpu } from '../backend/index.ts';
import { FrugalError } from '../errors.ts';
import type { BackendProvider, Report, Started } from '../seams/index.ts';
import { resolveFrom } from './packages.ts';

/** The backends that have names in Node. */
export type BackendName = 'tensorflow' | 'webgpu' | 'wasm' | 'webgl' | 'cpu';

interface Source {
  readonly package: string;
  /** The function of the package that makes the provider; without one, importing the package registers the backend. */
  readonly make?: string;
}

/** Ours first, as only they train fast; then tfjs's own. */
const sources: Readonly<Record<Exclude<BackendName, 'cpu' | 'webgl'>, readonly Source[]>> = {
  tensorflow: [{ package: '@frugal/libtensorflow', make: 'tensorflow' }, { package: '@tensorflow/tfjs-node' }],
  webgpu: [{ package: '@frugal/webgpu', make: 'webgpu' }],
  wasm: [{ package: '@frugal/wasm', make: 'wasm' }, { package: '@tensorflow/tfjs-backend-wasm' }],
};

/** The names, fastest first; `'auto'` tries them in this order. */
export const backendNames: readonly BackendName[] = ['tensorflow', 'webgpu', 'wasm', 'webgl', 'cpu'];

function absent(name: string, reason: string, fix: string): BackendProvider {
  return {
    name,
    describe: async (): Promise<Report> => ({ name, available: false, reason, fix, details: {} }),
    start: async (): Promise<Started> => {
      throw new FrugalError('BACKEND_MISSING', `${reason} ${fix}`);
    },
  };
}

/** A backend that a package of tfjs registers when it is imported. */
function registered(name: string, source: Source, url: string): BackendProvider {
  const reason = `${source.package} is installed.`;
  const details = { package: source.package };
  return {
    name,
    describe: async (): Promise<Report> => ({ name, available: true, reason, details }),
    async start(): Promise<Started> {
      await import(url);
      checkOneCore(name, source.package);
      if (!(await tf.setBackend(name))) {
        throw new FrugalError(
          'BACKEND_FAILED',
          `${source.package} is installed, but backend '${name}' does not start.`,
        );
      }
      await tf.ready();
      return { name, reason, details };
    },
  };
}

function checkOneCore(name: string, from: string): void {
  if (tf.findBackendFactory(name) !== null) return;
  throw new FrugalError(
    'TWO_CORES',
    `${from} registered its backend with another copy of tfjs-core. Run 'npm dedupe @tensorflow/tfjs-core' so that one copy is left.`,
  );
}

/** A provider that a package of ours exports; what it starts must be in our copy of tfjs. */
async function exported(name: string, source: Source, url: string): Promise<BackendProvider> {
  let module: Record<string, unknown>;
  try {
    module = (await import(url)) as Record<string, unknown>;
  } catch (error) {
    return absent(name, `${source.package} does not load: ${(error as Error).message}`, `Reinstall ${source.package}.`);
  }
  const make = module[source.make!];
  if (typeof make !== 'function') {
    return absent(name, `${source.package} has no '${source.make}'.`, `npm install ${source.package}@latest`);
  }
  const provider = make() as BackendProvider;
  return {
    name,
    describe: async () => ({ ...(await provider.describe()), name }),
    async start(): Promise<Started> {
      const started = await provider.start();
      checkOneCore(tf.getBackend(), source.package);
      return { ...started, details: { ...started.details, package: source.package } };
    },
  };
}

/**
 * The backend of a name, from the packages that are installed beside the user's program.
 *
 * | name | packages, the first that is there |
 * | --- | --- |
 * | `'tensorflow'` | `@frugal/libtensorflow`, `@tensorflow/tfjs-node` |
 * | `'webgpu'` | `@frugal/webgpu` |
 * | `'wasm'` | `@frugal/wasm`, `@tensorflow/tfjs-backend-wasm` |
 * | `'webgl'` | none: it needs a page |
 * | `'cpu'` | `@tensorflow/tfjs-backend-cpu` |
 *
 * @param folder Where packages are looked for; the working directory if left out.
 * @returns A provider also where nothing is installed: it says what to install.
 * @throws {FrugalError} `UNKNOWN_BACKEND`.
 */
export async function backendByName(name: BackendName, folder: string = process.cwd()): Promise<BackendProvider> {
  if (name === 'cpu') return cpu();
  if (name === 'webgl') {
    return absent('webgl', 'WebGL needs a page; Node has none.', 'In a page: useBackend([webgpu(), wasm(), webgl()]).');
  }
  if (!Object.hasOwn(sources, name)) {
    const message = `There is no backend '${name}'. Choose ${backendNames.join(', ')} or 'auto', or pass a provider.`;
    throw new FrugalError('UNKNOWN_BACKEND', message);
  }
  for (const source of sources[name]) {
    const url = resolveFrom(folder, source.package);
    if (url === undefined) continue;
    return source.make === undefined ? registered(name, source, url) : exported(name, source, url);
  }
  const [first] = sources[name];
  return absent(name, `${first!.package} is not installed.`, `npm install ${first!.package}`);
}
