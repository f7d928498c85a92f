import { tensorflow } from '@frugal/libtensorflow';
import { type BackendProvider, cpu, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { beforeAll, describe } from 'vitest';

/** Every backend that numeric suites run over; a package that brings another one adds it here. */
const known: BackendProvider[] = [cpu(), wasm(), tensorflow()];

const required = (process.env.FRUGAL_REQUIRE ?? '').split(',').filter(Boolean);
const only = (process.env.FRUGAL_BACKENDS ?? '').split(',').filter(Boolean);

/** TensorFlow takes a second to load and 350 MB in each process: only where it is asked for. */
const asked = ({ name }: BackendProvider): boolean => (only.length > 0 ? only.includes(name) : name !== 'tensorflow');
const providers = known.filter(asked);
// Emulated on the CPU here, so it has a suite of its own.
if (only.includes('webgpu')) providers.push(await (await import('./webgpu.ts')).testWebgpu());

const reports = await Promise.all(providers.map((provider) => provider.describe()));

/**
 * Runs a suite once per backend that is present, and says why one is skipped.
 *
 * A backend named in FRUGAL_REQUIRE fails instead of being skipped; FRUGAL_BACKENDS gives the list: by default
 * cpu and wasm.
 */
export function describeEachBackend(name: string, suite: (backend: string) => void): void {
  for (const [i, provider] of providers.entries()) {
    const { available, reason } = reports[i]!;
    if (!available && !required.includes(provider.name)) {
      describe.skip(`${name} [${provider.name}: ${reason}]`, () => suite(provider.name));
      continue;
    }
    describe(`${name} [${provider.name}]`, () => {
      beforeAll(async () => {
        await useBackend(provider);
      });
      suite(provider.name);
    });
  }
}
