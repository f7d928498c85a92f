import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { cpu, useBackend } from '../backend/index.ts';
import { flops, meter } from '../meter/index.ts';
import { key } from '../random/index.ts';
import { convReluPool } from './conv-relu-pool.ts';
import { countAbove } from './count-above.ts';
import { gelu, geluGrad } from './gelu.ts';
import { groupGradient } from './group-gradient.ts';
import { layerNorm, layerNormGrad } from './layer-norm.ts';
import { matMulAccumulate, matMulTangent } from './matmul.ts';
import { KernelName } from './names.ts';
import { reluGrad } from './relu-grad.ts';
import { gatherRows, scatterAddRows } from './rows.ts';
import { segmentMatMul, segmentMatMulWeightGrad } from './segments.ts';
import { addSigns, matMulSigns } from './signs.ts';
import { softmaxCrossEntropy } from './softmax-cross-entropy.ts';
import { adamStep, lionStep, momentumStep, sgdStep } from './steps.ts';

interface Case {
  name: KernelName;
  inputs: () => Record<string, tf.Tensor> | tf.Tensor[];
  attrs?: Record<string, unknown>;
  run: (inputs: never, attrs: never) => tf.Tensor | tf.Tensor[];
  /** How far the composition may be from the formula: it rounds differently, and does a little more or less. */
  within?: number;
}

const rows = Int32Array.of(3, 1, 3);
const numbers = { learningRate: 0.1, gradScale: 0.5, beta: 0.9, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, step: 1 };
const step = { ...numbers, count: 1, nesterov: true, decays: [0.1] };
type Lists = Record<string, tf.Tensor[]>;
const lists = (inputs: tf.Tensor[], slots: string[]): Lists =>
  Object.fromEntries(['params', 'grads', ...slots].map((name, i) => [name, [inputs[i]!]]));
const tensors = (count: number) => () => Array.from({ length: count }, () => tf.ones([30, 10]));

const cases: Case[] = [
  {
    name: KernelName.SgdStep,
    inputs: tensors(2),
    attrs: step,
    run: (x, a) => Object.values(sgdStep(lists(x, []) as never, a)).flat(),
  },
  {
    name: KernelName.MomentumStep,
    inputs: tensors(3),
    attrs: step,
    run: (x, a) => Object.values(momentumStep(lists(x, ['m']) as never, a)).flat(),
  },
  {
    name: KernelName.AdamStep,
    inputs: tensors(4),
    attrs: step,
    run: (x, a) => Object.values(adamStep(lists(x, ['m', 'v']) as never, a)).flat(),
  },
  {
    name: KernelName.LionStep,
    inputs: tensors(3),
    attrs: step,
    run: (x, a) => Object.values(lionStep(lists(x, ['m']) as never, a)).flat(),
  },
  {
    name: KernelName.MatMulTangent,
    inputs: () => ({
      a: tf.ones([7, 5]),
      b: tf.ones([5, 9]),
      da: tf.ones([7, 5]),
      db: tf.ones([5, 9]),
      bias: tf.ones([9]),
      dbias: tf.ones([9]),
    }),
    attrs: { transposeA: false, transposeB: false },
    run: matMulTangent,
    within: 0,
  },
  {
    name: KernelName.MatMulAccumulate,
    inputs: () => ({ c: tf.ones([7, 9]), a: tf.ones([5, 7]), b: tf.ones([5, 9]) }),
    attrs: { transposeA: true, transposeB: false, alpha: 2 },
    run: matMulAccumulate,
    within: 0,
  },
  {
    name: KernelName.GroupGradient,
    inputs: () => ({ u: tf.ones([30, 16]), du: tf.ones([30, 16]), slope: tf.ones([30, 16]) }),
    attrs: { groupSize: 4 },
    run: (x) => groupGradient(x, 4),
    within: 0,
  },
  {
    name: KernelName.ReluGrad,
    inputs: () => ({ dy: tf.ones([30, 10]), y: tf.ones([30, 10]) }),
    run: reluGrad,
    within: 0,
  },
  {
    name: KernelName.MatMulSigns,
    inputs: () => ({ a: tf.ones([7, 5]), into: tf.ones([7, 9]), bias: tf.ones([9]) }),
    attrs: { ...key(1), columns: 9 },
    run: (x, a) => matMulSigns(x, a, 9),
    within: 0,
  },
  {
    name: KernelName.AddSigns,
    inputs: () => ({ p: tf.ones([30, 10]), scale: tf.scalar(2) }),
    attrs: { ...key(1), factor: 3 },
    run: (x, a) => addSigns(x, a, 3),
    within: 0.01,
  },
  {
    name: KernelName.SegmentMatMul,
    inputs: () => ({ x: tf.ones([7, 5]), w: tf.ones([3, 5, 4]), bias: tf.ones([3, 4]) }),
    attrs: { ends: [2, 2, 7], transposeW: false, activation: 'relu' },
    run: segmentMatMul,
    within: 0,
  },
  {
    name: KernelName.SegmentMatMulWeightGrad,
    inputs: () => ({ x: tf.ones([7, 5]), dy: tf.ones([7, 4]) }),
    attrs: { ends: [2, 2, 7] },
    run: (x, { ends }: { ends: number[] }) => segmentMatMulWeightGrad(x, ends),
    within: 0,
  },
  {
    name: KernelName.CountAbove,
    inputs: () => ({ x: tf.ones([20, 40]) }),
    attrs: { threshold: 0.5 },
    run: ({ x }: { x: tf.Tensor }, { threshold }: { threshold: number }) => countAbove(x, { threshold }),
    within: 1,
  },
  {
    name: KernelName.GatherRows,
    inputs: () => ({ x: tf.ones([5, 40]) }),
    attrs: { rows },
    run: ({ x }: { x: tf.Tensor }) => gatherRows(x, rows),
    within: 0,
  },
  {
    name: KernelName.ScatterAddRows,
    inputs: () => ({ into: tf.ones([3, 40]), x: tf.ones([3, 40]) }),
    attrs: { rows: Int32Array.of(0, 1, 2), scale: Float32Array.of(1, 2, 3) },
    run: scatterAddRows,
    within: 0.5, // the composition adds whole tables: here as many rows as there are to add, and in scatterND once more
  },
  {
    name: KernelName.ConvReluPool,
    inputs: () => ({ x: tf.ones([2, 8, 8, 3]), w: tf.ones([3, 3, 3, 4]), bias: tf.ones([4]) }),
    attrs: { strides: 1, pad: 'same', pool: 2 },
    run: convReluPool,
    within: 0.02,
  },
  {
    name: KernelName.SoftmaxCrossEntropy,
    inputs: () => ({ logits: tf.ones([6, 50]), labels: tf.zeros([6], 'int32') }),
    // Forward and backward together, as the kernel gives both.
    run: (inputs: { logits: tf.Tensor; labels: tf.Tensor }) =>
      tf.grads((logits) => softmaxCrossEntropy({ ...inputs, logits: logits! }))([inputs.logits]),
    within: 1, // the composition multiplies by one-hot rows, forward and backward
  },
  {
    name: KernelName.LayerNorm,
    inputs: () => ({ x: tf.ones([6, 50]), scale: tf.ones([50]), offset: tf.ones([50]) }),
    attrs: { epsilon: 1e-5 },
    run: layerNorm,
  },
  {
    name: KernelName.LayerNormGrad,
    inputs: () => ({
      x: tf.ones([6, 50]),
      scale: tf.ones([50]),
      mean: tf.ones([6]),
      rstd: tf.ones([6]),
      dy: tf.ones([6, 50]),
    }),
    run: layerNormGrad,
  },
  { name: KernelName.Gelu, inputs: () => ({ x: tf.ones([6, 50]) }), run: ({ x }: { x: tf.Tensor }) => gelu(x) },
  { name: KernelName.GeluGrad, inputs: () => ({ x: tf.ones([6, 50]), dy: tf.ones([6, 50]) }), run: geluGrad },
];

describe('the FLOP formula of a kernel', () => {
  beforeAll(async () => {
    await useBackend(cpu());
  });

  it.each(cases)(
    '$name is about what the composition of stock ops costs',
    ({ name, inputs, attrs = {}, run, within = 0.25 }) => {
      tf.tidy(() => {
        const given = inputs();
        const { flops: composed, unknown, result } = meter(() => [run(given as never, attrs as never)].flat());
        expect(unknown).toEqual([]);
        const formula = flops(name, given, attrs, result)!;
        expect(Math.abs(composed - formula), `${composed} composed, ${formula} by the formula`).toBeLessThanOrEqual(
          within * formula,
        );
      });
    },
  );

  it('leaves out no kernel but the samplers', () => {
    const tested = new Set<KernelName>(cases.map(({ name }) => name));
    const rest = Object.values(KernelName).filter((name) => !tested.has(name));
    expect(rest).toEqual([
      KernelName.RandomBits,
      KernelName.RandomUniform,
      KernelName.RandomNormal,
      KernelName.RandomSigns,
      KernelName.AddNoise,
    ]);
  });
});
