import { createRequire } from 'node:module';
import type { Installation } from '../cache/installation.ts';
import { diagnoseGpu } from '../setup/gpu.ts';
import { thisSystem } from '../setup/system.ts';

/** By which `process.on('warning')` knows it. */
const CODE = 'FRUGAL_NO_GPU';

let warned = false;

/**
 * Says why a GPU build that is loaded computes on the CPU, and what to do; and, once in a process, warns of it.
 *
 * @returns Undefined where a GPU computes, or for a CPU build.
 */
export async function explainCpu(installation: Installation): Promise<string | undefined> {
  if (!installation.gpu) return undefined;
  const binding = createRequire(import.meta.url)(installation.binding) as { isUsingGpuDevice(): boolean };
  if (binding.isUsingGpuDevice()) return undefined;
  const { reason, fix } = await diagnoseGpu(thisSystem(), installation);
  const why = `The GPU is not used. ${reason} ${fix}`;
  if (!warned) process.emitWarning(`TensorFlow ${installation.tensorflow} computes on the CPU. ${why}`, { code: CODE });
  warned = true;
  return why;
}

/** As `explainCpu`, for callers that do not wait. */
export function warnOfCpu(installation: Installation): void {
  // A TensorFlow that does not load has said so already.
  explainCpu(installation).catch(() => undefined);
}
