import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { BackendProvider, Report, Started } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { chooseInstallation, type Installation } from '../cache/installation.ts';
import { LibtensorflowError } from '../errors.ts';
import { addKernels } from '../kernels/index.ts';
import { findTfjsNode } from '../load/find-tfjs-node.ts';
import { type LoadOptions, loadTensorflow } from '../load/load.ts';
import { explainCpu } from '../load/warn.ts';
import type { NodeBackend } from './native.ts';

/** Options of `tensorflow`. With `gpu: true` it does not start where no GPU is used. */
export type TensorflowOptions = LoadOptions;

const name = 'tensorflow';

/**
 * TensorFlow itself as tfjs's backend, with our kernels, for `useBackend`: `await useBackend(tensorflow())`.
 *
 * It starts where `npx @frugal/libtensorflow` was run. With a GPU build it says which device computes and, where that is
 * the CPU, exactly what the GPU lacks; with `gpu: true` that is an error.
 */
export function tensorflow(options: TensorflowOptions = {}): BackendProvider {
  return {
    name,
    async describe(): Promise<Report> {
      try {
        const installation = chooseInstallation(options);
        const found = findTfjsNode(options.from ?? process.cwd(), installation.gpu);
        const details = { tensorflow: installation.tensorflow, build: build(installation), tfjs: found.package };
        const reason = `TensorFlow ${installation.tensorflow} is set up in ${installation.folder}.`;
        return { name, available: true, reason, details };
      } catch (error) {
        if (!(error instanceof LibtensorflowError)) throw error;
        return { name, available: false, reason: error.reason, fix: error.fix, details: {} };
      }
    },
    async start(): Promise<Started> {
      const { installation, package: from } = loadTensorflow(options);
      if (tf.findBackendFactory(name) === null) {
        throw new LibtensorflowError(
          'TWO_CORES',
          `${from} registered its backend with another copy of tfjs-core.`,
          "Run 'npm dedupe @tensorflow/tfjs-core' so that one copy is left.",
        );
      }
      if (!(await tf.setBackend(name))) {
        throw new LibtensorflowError(
          'NOT_STARTED',
          'TensorFlow was loaded, but its backend does not start.',
          "Run 'npx @frugal/libtensorflow --check'.",
        );
      }
      const backend = tf.backend() as unknown as NodeBackend;
      const [device, why] = await deviceOf(backend, installation);
      if (options.gpu === true && device === 'CPU') {
        throw new LibtensorflowError('NO_GPU', 'A GPU was asked for, and none is used.', why);
      }
      const kernels = addKernels(backend);
      const details = {
        ...{ tensorflow: installation.tensorflow, build: build(installation), tfjs: from, device, kernels },
        threads: Number(process.env['TF_NUM_INTRAOP_THREADS'] ?? availableParallelism()),
      };
      const old =
        kernels === 0 ? "Its binding is of another version: run 'npx @frugal/libtensorflow' for fast kernels." : '';
      const reason = [`TensorFlow ${installation.tensorflow} computes on the ${device}.`, why, old]
        .filter(Boolean)
        .join(' ');
      return { name, reason, details };
    },
  };
}

const build = ({ gpu }: Installation): string => (gpu ? 'GPU' : 'CPU');

/** What computes; and if that is the CPU although it need not be: why, and what to do. */
async function deviceOf(backend: NodeBackend, installation: Installation): Promise<['GPU' | 'CPU', string]> {
  if (backend.isUsingGpuDevice) return ['GPU', ''];
  const why = await explainCpu(installation);
  if (why !== undefined) return ['CPU', why];
  const card = existsSync('/proc/driver/nvidia/version');
  return [
    'CPU',
    card ? "There is an NVIDIA driver: 'npx @frugal/libtensorflow --gpu' sets up the build that uses it." : '',
  ];
}
