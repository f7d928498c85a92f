import { useBackend } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { testWebgpu } from '../../../../tests/support/webgpu.ts';
import { DeviceLostError, GpuError, SyncReadError } from '../errors.ts';
import { webgpu } from '../provider.ts';

const device = (): GPUDevice => (tf.findBackend('webgpu') as WebGPUBackend).device;

describeEachBackend('webgpu', () => {
  it('has the limits of the adapter and says what it runs on', async () => {
    const { details, reason } = await useBackend(await testWebgpu());
    expect(details).toMatchObject({
      software: true,
      precision: 'float32',
      adapter: expect.stringMatching(/swiftshader/i),
    });
    expect(reason).toMatch(/emulated on the CPU/);
    expect(device().limits.maxStorageBuffersPerShaderStage).toBeGreaterThan(8);
  });

  it('takes no emulated adapter unasked', async () => {
    expect(await webgpu().describe()).toMatchObject({
      available: false,
      reason: expect.stringMatching(/emulated on the CPU/),
      fix: expect.stringMatching(/adapter: 'any'/),
      details: { software: true },
    });
    expect(await webgpu({ adapter: 'any' }).describe()).toMatchObject({ available: true, details: { software: true } });
  });

  it('refuses synchronous reads instead of returning zeros', async () => {
    const x = tf.add([1, 2], 1);
    expect(() => x.dataSync()).toThrow(SyncReadError);
    expect([...(await x.data())]).toEqual([2, 3]);
    // What was read once stays on the host.
    expect([...x.dataSync()]).toEqual([2, 3]);
    x.dispose();
  });

  it('throws what the device refused from the next read, once', async () => {
    const x = tf.add([1, 2], 1);
    device()
      .createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE })
      .destroy();
    await expect(x.data()).rejects.toMatchObject({ code: 'GPU_ERROR', kind: 'validation' });
    await expect(tf.add(x, 1).data()).resolves.toEqual(Float32Array.from([3, 4]));
    expect(new GpuError('out-of-memory', 'No room.').message).toMatch(/smaller batches/);
    x.dispose();
  });

  it('tells of a lost device wherever it is used, and starts again', async () => {
    const [unread, read] = [tf.add([1, 2], 1), tf.add([5], 1)];
    await read.data();
    device().destroy();
    await expect(unread.data()).rejects.toBeInstanceOf(DeviceLostError);
    expect(() => tf.add(unread, [1, 2])).toThrow(/go on from the last checkpoint/);
    expect([...(await read.data())]).toEqual([6]);
    tf.dispose([unread, read]);
    await useBackend(await testWebgpu());
    const again = tf.add([1, 2], 1);
    expect([...(await again.data())]).toEqual([2, 3]);
    again.dispose();
  });
});
