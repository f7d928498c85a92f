import { KernelName } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { crc32c } from '../checkpoint/index.ts';

/** Backends where reading a value back costs next to nothing. */
const HOSTS: readonly string[] = ['cpu', 'wasm', 'tensorflow'];

/** How many steps' losses are read together unless somebody says. */
export function defaultReadEvery(): number {
  return HOSTS.includes(tf.getBackend()) ? 1 : 10;
}

/**
 * What computes, so far as it decides about the last bits of results: the backend's own word for its kernels (e.g.
 * `'relaxed-simd'`) where it has one, and a fingerprint of which kernels of ours it has.
 */
export function kernelVariant(): string {
  const backend = tf.getBackend();
  const ours = Object.values(KernelName).filter((name) => tf.getKernel(name, backend) !== undefined);
  const fingerprint = crc32c(new TextEncoder().encode(ours.join())).toString(16).padStart(8, '0');
  const { variant = 'plain' } = tf.backend() as { variant?: string };
  return `${variant} kernels-${fingerprint}`;
}
