import {
  type AdamStepAttrs,
  KernelName,
  type LionStepAttrs,
  type MomentumStepAttrs,
  type SgdStepAttrs,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { expectFloat, over, type Registration, refusal } from './over.ts';

const SGD = 0;
const MOMENTUM = 1;
const ADAM = 2;
const LION = 3;

/** Elements that are dealt out at a time, and words per parameter, as in assembly/optimizers.ts. */
const UNIT = 4096;
const ROW = 9;

/** A step of `kind` over a tree: inputs [parameters, gradients, slots …], outputs [parameters, slots …]. */
function step(
  runtime: Runtime,
  name: string,
  kind: number,
  slots: number,
  inputs: readonly tf.TensorInfo[],
  { count, learningRate, gradScale, decays }: SgdStepAttrs,
  floats: readonly number[],
  nesterov = false,
): tf.TensorInfo[] {
  if (inputs.length !== count * (2 + slots) || decays.length !== count) {
    throw refusal(
      name,
      `takes ${count} parameters and gradients, ${slots} slots each and ${count} decays, got ${inputs.length} tensors and ${decays.length} decays`,
    );
  }
  expectFloat(name, ...inputs);
  const of = (group: number, i: number): tf.TensorInfo => inputs[group * count + i]!;
  for (let i = 0; i < count; i++) {
    for (let group = 1; group < 2 + slots; group++) {
      if (!tf.util.arraysEqual(of(0, i).shape, of(group, i).shape)) {
        throw refusal(
          name,
          `takes equal shapes, parameter ${i} has [${of(0, i).shape}], its ${group === 1 ? 'gradient' : 'slot'} [${of(group, i).shape}]`,
        );
      }
    }
  }
  const seen = new Map<object, number>();
  for (const x of inputs) seen.set(x.dataId, (seen.get(x.dataId) ?? 0) + 1);
  const targets: tf.TensorInfo[] = [];
  for (const group of [0, 2, 3].slice(0, 1 + slots)) {
    for (let i = 0; i < count; i++) {
      const x = of(group, i);
      targets.push(runtime.replacement(x, seen.get(x.dataId) === 1 ? [x] : inputs));
    }
  }
  const table = new Int32Array(ROW * count);
  let units = 0;
  let elements = 0;
  for (let i = 0; i < count; i++) {
    const size = tf.util.sizeFromShape(of(0, i).shape);
    elements += size;
    units += Math.ceil(size / UNIT);
    const row = [
      size,
      runtime.address(of(1, i)),
      bits(decays[i]!),
      runtime.address(of(0, i)),
      runtime.address(targets[i]!),
    ];
    for (let slot = 0; slot < slots; slot++) {
      row.push(runtime.address(of(2 + slot, i)), runtime.address(targets[(1 + slot) * count + i]!));
    }
    table.set(row, i * ROW);
  }
  if (elements === 0) return targets;
  const [beta1 = 0, beta2 = 0, epsilon = 0, correction1 = 1, correction2 = 1] = floats;
  const address = runtime.table(table);
  runtime.run(
    Op.Step,
    [
      ...[kind, count, address, units, bits(learningRate), bits(gradScale), bits(beta1), bits(beta2), bits(epsilon)],
      ...[bits(correction1), bits(correction2), nesterov ? 1 : 0, bits(1 - beta1), bits(1 - beta2)],
    ],
    runtime.chunks(elements * (1 + slots), units),
  );
  return targets;
}

type Inputs = readonly tf.TensorInfo[];

export const stepKernels: readonly Registration[] = [
  over(KernelName.SgdStep, (runtime) => ({ inputs, attrs }) => {
    return step(runtime, KernelName.SgdStep, SGD, 0, inputs as unknown as Inputs, attrs as unknown as SgdStepAttrs, []);
  }),
  over(KernelName.MomentumStep, (runtime) => ({ inputs, attrs }) => {
    const a = attrs as unknown as MomentumStepAttrs;
    return step(runtime, KernelName.MomentumStep, MOMENTUM, 1, inputs as unknown as Inputs, a, [a.beta], a.nesterov);
  }),
  over(KernelName.AdamStep, (runtime) => ({ inputs, attrs }) => {
    const a = attrs as unknown as AdamStepAttrs;
    const corrections = [a.beta1, a.beta2].map((beta) => 1 / (1 - beta ** a.step));
    const floats = [a.beta1, a.beta2, a.epsilon, ...corrections];
    return step(runtime, KernelName.AdamStep, ADAM, 2, inputs as unknown as Inputs, a, floats);
  }),
  over(KernelName.LionStep, (runtime) => ({ inputs, attrs }) => {
    const a = attrs as unknown as LionStepAttrs;
    return step(runtime, KernelName.LionStep, LION, 1, inputs as unknown as Inputs, a, [a.beta1, a.beta2]);
  }),
];
