// Stands for tests/support/backends.ts and tests/support/webgpu.ts where suites are bundled: there is one backend.
import { type BackendProvider, type Started, useBackend } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe } from 'vitest';

let chosen: BackendProvider | undefined;

/** Chooses the backend that suites run on; call it before they are imported. */
export function testOn(provider: BackendProvider): void {
  chosen = {
    ...provider,
    async start(): Promise<Started> {
      const started = await provider.start();
      // Small tensors would be calculated by tfjs's cpu backend.
      if (provider.name === 'webgpu') tf.env().set('WEBGPU_CPU_FORWARD', false);
      return started;
    },
  };
}

export function describeEachBackend(name: string, suite: (backend: string) => void): void {
  const provider = chosen!;
  describe(`${name} [${provider.name}]`, () => {
    beforeAll(async () => {
      await useBackend(provider);
    });
    suite(provider.name);
  });
}

export const testWebgpu = async (): Promise<BackendProvider> => chosen!;
