import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { webgl } from './webgl.ts';

afterEach(() => vi.unstubAllGlobals());

/** A browser whose canvases have WebGL 2, on a real GPU or emulated. */
function withCanvas(real: boolean, device = 'card'): void {
  const getParameter = (name: number): string => `${device} ${name}`;
  const gl = { getExtension: () => ({ UNMASKED_RENDERER_WEBGL: 7 }), getParameter };
  vi.stubGlobal(
    'OffscreenCanvas',
    class {
      getContext(_: string, options: { failIfMajorPerformanceCaveat: boolean }) {
        return real || !options.failIfMajorPerformanceCaveat ? gl : null;
      }
    },
  );
}

// What it does on a real device is tested in Chromium, with the lab.
describe('webgl', () => {
  it('says that Node has none', async () => {
    const { available, reason } = await webgl().describe();
    expect(available).toBe(false);
    expect(reason).toMatch(/no WebGL 2/);
    await expect(webgl().start()).rejects.toMatchObject({ code: 'BACKEND_MISSING' });
  });

  it('takes an emulated device only when it is asked to', async () => {
    withCanvas(false);
    expect((await webgl().describe()).reason).toMatch(/on a real GPU/);
    expect((await webgl({ software: true }).describe()).reason).toMatch(/was not imported/);
  });

  it('knows an emulated device by its name where the browser does not call it slow', async () => {
    withCanvas(true, 'ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device))');
    expect((await webgl().describe()).reason).toMatch(/on a real GPU/);
    expect((await webgl({ software: true }).describe()).reason).toMatch(/was not imported/);
  });

  it('tells an import that failed, and a missing one', async () => {
    withCanvas(true);
    const load = () => Promise.reject(new Error('offline'));
    expect((await webgl({ load }).describe()).reason).toMatch(/could not be loaded: offline/);
    expect((await webgl().describe()).fix).toMatch(/npm install @tensorflow\/tfjs-backend-webgl/);
  });

  it('refuses what tfjs takes in its place', async () => {
    withCanvas(true);
    tf.registerBackend('webgl', () => {
      throw new Error('no context');
    });
    const before = tf.getBackend();
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    try {
      expect((await webgl().describe()).details.device).toBe('card 7');
      await expect(webgl().start()).rejects.toThrow(/could not start WebGL/);
    } finally {
      tf.removeBackend('webgl');
      vi.restoreAllMocks();
      if (before !== undefined) await tf.setBackend(before);
    }
  });
});
