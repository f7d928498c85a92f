import { type BackendProvider, cpu, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { beforeAll, describe } from 'vitest';

const required = (process.env.FRUGAL_REQUIRE ?? '').split(',').filter(Boolean);
const only = (process.env.FRUGAL_BACKENDS ?? '').split(',').filter(Boolean);

/** Backends that numeric suites run over; those of a suite of their own are imported only where they are asked for. */
const providers: BackendProvider[] = [cpu(), wasm()].filter(({ name }) => only.length === 0 || only.includes(name));
// TensorFlow takes a second to load and 350 MB in each process; WebGPU is emulated on the CPU here.
if (only.includes('tensorflow')) providers.push((await import('@frugal/libtensorflow')).tensorflow());
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
