import * as tf from '@tensorflow/tfjs-core';
import { KernelArgumentError } from './check.ts';
import type { KernelName } from './names.ts';

/** Whether the current backend has a kernel of its own under this name. */
export function hasKernel(name: KernelName): boolean {
  return tf.getKernel(name, tf.getBackend()) != null;
}

/** Inputs of a kernel: by name, absent ones undefined, or a list. */
type Inputs = Readonly<Record<string, tf.Tensor | undefined>> | readonly tf.Tensor[];

/**
 * Runs a kernel of the current backend through the engine, so that interpreters see it.
 *
 * @returns The outputs, always as an array.
 */
export function runKernel(name: KernelName, inputs: Inputs, attrs: object = {}): tf.Tensor[] {
  const present = Array.isArray(inputs)
    ? inputs
    : Object.fromEntries(Object.entries(inputs).filter(([, tensor]) => tensor !== undefined));
  const outputs = tf.engine().runKernel(name, present as tf.NamedTensorMap, attrs as tf.NamedAttrMap);
  return Array.isArray(outputs) ? outputs : [outputs as tf.Tensor];
}

/** Whether tfjs is recording for a gradient right now. */
export function isRecording(): boolean {
  return tf.engine().isTapeOn();
}

/** Keeps tensors for the backward pass. */
export type SaveForBackward = (tensors: tf.Tensor[]) => void;

type Backward = (dy: tf.Tensor, saved: tf.Tensor[]) => Record<string, () => tf.Tensor>;

interface CustomGradient {
  runKernelFunc(call: {
    forwardFunc: (backend: unknown, save: SaveForBackward) => tf.Tensor;
    backwardsFunc: Backward;
    inputs: Record<string, tf.Tensor>;
  }): tf.Tensor;
}

/**
 * `tf.customGrad` with a gradient for each input of its own, made only if it is asked for: the first layer of a network
 * then never pays for the gradient of its data.
 *
 * @param inputs The differentiable inputs by name; absent ones undefined.
 * @param forward Gives the value and saves what `backward` needs. Runs in a tidy.
 * @param backward From the gradient of the value and what was saved: how to make the gradient of each input, by name.
 */
export function differentiable(
  inputs: Readonly<Record<string, tf.Tensor | undefined>>,
  forward: (save: SaveForBackward) => tf.Tensor,
  backward: Backward,
): tf.Tensor {
  if (!isRecording()) return tf.tidy(() => forward(() => undefined));
  const present = Object.fromEntries(
    Object.entries(inputs).filter((entry): entry is [string, tf.Tensor] => entry[1] !== undefined),
  );
  const engine = tf.engine() as unknown as CustomGradient;
  return engine.runKernelFunc({
    forwardFunc: (_, save) => forward(save),
    backwardsFunc: backward,
    inputs: present,
  });
}

/**
 * Runs `make` in a tidy, then frees what was donated to it; a variable is left to its owner, who assigns the result.
 *
 * A donated tensor may be written in place, so it must stand at one place among the arguments; clones may stand elsewhere.
 *
 * @throws {KernelArgumentError} If it does not.
 */
export function donating<T extends tf.TensorContainer>(
  kernel: string,
  donated: readonly tf.Tensor[],
  others: readonly tf.Tensor[],
  make: () => T,
): T {
  const seen = new Set(donated);
  if (seen.size < donated.length || others.some((other) => seen.has(other))) {
    throw new KernelArgumentError(
      kernel,
      'a donated tensor',
      'stands twice among the arguments. Pass clones (tf.clone).',
    );
  }
  const made = tf.tidy(make);
  for (const tensor of donated) if (!(tensor instanceof tf.Variable)) tensor.dispose();
  return made;
}
