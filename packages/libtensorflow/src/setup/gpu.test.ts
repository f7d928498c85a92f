import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { cudaPackages, diagnoseGpu, missingCuda } from './gpu.ts';
import { type Ended, type System, thisSystem } from './system.ts';

const place = { folder: '/nowhere', tensorflow: '2.21.0' };

/** A machine on which opening libraries ends so. */
const opening = (end: (files: readonly string[]) => Partial<Ended>): System => ({
  ...thisSystem(),
  run: async (_, args) => {
    const files = JSON.parse(args.at(-1)!) as string[];
    return { code: 0, signal: undefined, stdout: '', stderr: '', ...end(files) };
  },
});
const without = (...names: readonly string[]): System =>
  opening((files) => ({ stdout: JSON.stringify(files.filter((file) => names.some((name) => file.includes(name)))) }));

it.skipIf(existsSync('/dev/nvidiactl'))('asks this machine, which has no driver', async () => {
  const { missing, reason, fix } = await diagnoseGpu(thisSystem(), place);
  expect(missing).toContainEqual({ library: 'libcuda.so.1', from: 'the NVIDIA driver' });
  expect(reason).toMatch(/Missing: .*libcuda.so.1 \(the NVIDIA driver\)/);
  expect(fix).toMatch(/Install the NVIDIA driver, in a container start it with '--gpus all'/);
});

it('names what is missing, and says how to get that alone', async () => {
  const driver = await diagnoseGpu(without('libcuda.so'), place);
  expect(driver.reason).toBe('Missing: libcuda.so.1 (the NVIDIA driver).');
  expect(driver.fix).not.toContain('npx');
  const one = await diagnoseGpu(without('libcufft'), place);
  expect(one.reason).toBe('Missing: libcufft.so.11 (nvidia-cufft-cu12).');
  expect(one.fix).toBe("Run 'npx @frugal/libtensorflow --gpu --tf 2.21.0' again: it fetches the CUDA libraries.");
  const none = await diagnoseGpu(without(), place);
  expect(none.missing).toEqual([]);
  expect(none.reason).toMatch(/driver and all CUDA libraries are there, but TensorFlow found no device/);
  expect(none.fix).toMatch(/nvidia-smi.*CUDA_VISIBLE_DEVICES/);
});

it('finds the library that ends the process which opens it', async () => {
  const dies = (files: readonly string[]): boolean => files.some((file) => file.includes('libcusparse'));
  const system = opening((files) => (dies(files) ? { code: 1, signal: 'SIGBUS' } : { stdout: '[]' }));
  expect(await missingCuda(system, place)).toEqual([{ library: 'libcusparse.so.12', from: 'nvidia-cusparse-cu12' }]);
});

it.each([
  ['2.15.1', 8],
  ['2.17.1', 8],
  ['2.18.0', 9],
  ['2.21.0', 9],
])('TensorFlow %s takes cuDNN %i', async (tensorflow, cudnn) => {
  const [one] = await missingCuda(without('libcudnn'), { ...place, tensorflow });
  expect(one!.library).toBe(`libcudnn.so.${cudnn}`);
  const asked = cudaPackages(tensorflow).filter((name) => name.startsWith('nvidia-cudnn'));
  expect(asked).toEqual([expect.stringMatching(new RegExp(`>=${cudnn}\\..*,<${cudnn + 1}$`))]);
});
