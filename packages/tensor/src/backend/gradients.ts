import * as tf from '@tensorflow/tfjs-core';
import { registerGradients } from '#gradients';
import { FrugalError } from '../errors.ts';
import { repairGradients } from './repairs/index.ts';

/**
 * Makes sure that tfjs's gradients are registered, in Node and in bundles alike, and repaired; called by `useBackend`.
 *
 * Gradients that are wrong or missing in tfjs are replaced for the whole program (docs/gradients.md lists them).
 *
 * @throws {FrugalError} In Node, if `@tensorflow/tfjs-layers` is not installed or brought a second copy of tfjs-core.
 */
export async function ensureGradients(): Promise<void> {
  if (tf.getGradient('BatchMatMul') === undefined) await register();
  repairGradients();
}

async function register(): Promise<void> {
  try {
    await registerGradients();
  } catch (cause) {
    throw new FrugalError(
      'NO_GRADIENTS',
      "tfjs-core has no gradients in Node by itself. Run 'npm install @tensorflow/tfjs-layers' (the same version as tfjs-core).",
      { cause },
    );
  }
  if (tf.getGradient('BatchMatMul') === undefined) {
    throw new FrugalError(
      'TWO_CORES',
      "Gradients were registered with another copy of tfjs-core. Run 'npm dedupe @tensorflow/tfjs-core' so that one copy is left.",
    );
  }
}
