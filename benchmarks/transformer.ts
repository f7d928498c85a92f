// A training step of a vision transformer on images and of a character gpt, about a million parameters each: against
// tfjs's cpu backend and, where it can train them, jax-js.
import { adam, softmaxCrossEntropy } from '@frugal/core-trainer';
import { gpt, vit } from '@frugal/nn';
import { ensureGradients, key, type Module, treeSize } from '@frugal/tensor';
import { trainable } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { finish, interleave, quick, table } from './harness.ts';
import { startJax } from './support/jax.ts';
import { type Blocks, jaxTransformerStep } from './support/jax-transformer.ts';
import { kernelTimes } from './support/kernel-times.ts';
import { type TrainingStep, trainingStep } from './support/step.ts';

const DIM = 128;
const DEPTH = 5;
const HEADS = 4;
/** Images and texts of a batch; the cpu backend takes ten seconds for these. */
const [IMAGES, TEXTS] = quick ? [4, 1] : [64, 16];
const VOCABULARY = 68;

const { threads, relaxed } = await trainable();
await ensureGradients();
await startJax();

interface Task {
  readonly model: () => Module;
  readonly x: () => tf.Tensor;
  readonly y: () => tf.Tensor;
  readonly jax: Blocks;
}

const tasks: Record<'vit' | 'gpt', Task> = {
  vit: {
    model: () => vit({ dim: DIM, depth: DEPTH, heads: HEADS }) as unknown as Module,
    x: () => tf.randomUniform([IMAGES, 28, 28, 1], 0, 1, 'float32', 1),
    y: () => tf.randomUniform([IMAGES], 0, 10, 'int32', 2),
    // 16 patches of 7 × 7 pixels, their mean classified.
    jax: { batch: IMAGES, tokens: 16, inputs: 49, dim: DIM, depth: DEPTH, heads: HEADS, classes: 10, causal: false },
  },
  gpt: {
    model: () =>
      gpt({ vocabulary: VOCABULARY, context: 64, dim: DIM, depth: DEPTH, heads: HEADS }) as unknown as Module,
    x: () => tf.randomUniform([TEXTS, 64], 0, VOCABULARY, 'int32', 1),
    y: () => tf.randomUniform([TEXTS, 64], 0, VOCABULARY, 'int32', 2),
    jax: {
      batch: TEXTS,
      tokens: 64,
      inputs: VOCABULARY,
      dim: DIM,
      depth: DEPTH,
      heads: HEADS,
      classes: VOCABULARY,
      causal: true,
    },
  },
};

async function stepOn(backend: string, { model, x, y }: Task): Promise<TrainingStep> {
  await tf.setBackend(backend);
  return trainingStep({ model: model(), optimizer: adam(1e-3), loss: softmaxCrossEntropy, x: x(), y: y() });
}

const figures: Record<string, number> = {};
const shares: number[] = [];
for (const [name, task] of Object.entries(tasks)) {
  const sides: Record<string, () => unknown> = {
    cpu: await stepOn('cpu', task),
    wasm: await stepOn('wasm', task),
    'jax-js': await jaxTransformerStep(task.jax),
  };
  const before = (side: string): Promise<boolean> => tf.setBackend(side === 'cpu' ? 'cpu' : 'wasm');
  const times = await interleave(sides, { before, rounds: 5, sampleTime: quick ? 1 : 200, warmUp: 1 });
  await tf.setBackend('wasm');
  const share = kernelTimes(sides['wasm'] as () => void, quick ? 5 : 30).share(/MatMul|Conv/);
  shares.push(share);
  const title = `${name}, ${treeSize(task.model().init(key(1)))} parameters`;
  table(
    Object.entries(times).map(([side, { best, median }]) => ({ [title]: side, 'best ms': best, 'median ms': median })),
  );
  console.log(`wasm: ${threads} threads, ${relaxed ? 'relaxed' : 'plain'} SIMD; share of matmul ${share.toFixed(2)}\n`);
  figures[`${name}_vs_cpu`] = times['cpu']!.best / times['wasm']!.best;
  figures[`${name}_vs_jaxjs`] = times['jax-js']!.best / times['wasm']!.best;
}
finish('transformer', { ...figures, matmul_share: Math.min(...shares) });
