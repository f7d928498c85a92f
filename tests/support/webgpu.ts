import type { BackendProvider, Started } from '@frugal/tensor';
import { webgpu } from '@frugal/webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { chromium, hasChromium } from './chromium.ts';

/** WebGPU in Node on npm's SwiftShader (elsewhere than on Linux x64 on whatever there is), with nothing left to the CPU. */
export async function testWebgpu(): Promise<BackendProvider> {
  const provider = hasChromium
    ? webgpu({ adapter: 'software', vulkan: (await chromium()).vulkan })
    : webgpu({ adapter: 'any' });
  return {
    ...provider,
    async start(): Promise<Started> {
      const started = await provider.start();
      // Small tensors would be calculated by tfjs's cpu backend.
      tf.env().set('WEBGPU_CPU_FORWARD', false);
      return started;
    },
  };
}
