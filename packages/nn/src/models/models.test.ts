import {
  createState,
  hvp,
  jvp,
  key,
  type Staged,
  type Tree,
  treeDispose,
  treeEntries,
  treeLeaves,
  treeMap,
  treeSize,
  valueAndGrad,
} from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak, normalTensor } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { normal } from '../initializers.ts';
import { gpt } from './gpt.ts';
import { lenet5 } from './lenet5.ts';
import { lenet300, mlp } from './mlp.ts';
import { resnet } from './resnet.ts';
import { vit } from './vit.ts';

interface Case {
  make: () => Staged<Tree>;
  /** Parameters, counted by hand. */
  size: number;
  input: () => tf.Tensor;
  output: number[];
  labels: number[];
  stages: string[];
  rate: number;
  /** Default 12. */
  steps?: number;
  paths: string[];
}

const image =
  (side: number, channels: number, count = 4) =>
  () =>
    normalTensor(1, [count, side, side, channels]);
const tokens = () => tf.tensor2d([0, 1, 2, 3, 4, 0, 1, 2], [2, 4], 'int32');

const cases: Record<string, Case> = {
  mlp: {
    make: () => mlp([12, 16, 3]) as Staged<Tree>,
    size: 12 * 16 + 16 + 16 * 3 + 3,
    input: () => normalTensor(1, [4, 2, 2, 3]),
    output: [4, 3],
    labels: [0, 1, 2, 0],
    stages: ['0', '1'],
    rate: 0.3,
    paths: ['0.weight', '0.bias', '1.weight', '1.bias'],
  },
  lenet300: {
    make: () => lenet300() as Staged<Tree>,
    size: 266_610,
    input: image(28, 1),
    output: [4, 10],
    labels: [0, 1, 2, 3],
    stages: ['fc1', 'fc2', 'fc3'],
    rate: 0.05,
    paths: ['fc1.weight', 'fc3.bias'],
  },
  lenet5: {
    make: () => lenet5() as Staged<Tree>,
    size: 61_706,
    input: image(28, 1, 2),
    output: [2, 10],
    labels: [0, 1],
    stages: ['conv1', 'conv2', 'fc1', 'fc2', 'fc3'],
    rate: 0.02,
    steps: 5,
    paths: ['conv1.weight', 'conv2.bias', 'fc1.weight'],
  },
  'resnet with batch norm': {
    make: () => resnet({ depth: 8, width: 4 }) as Staged<Tree>,
    size: 27 * 4 + 8 + (2 * 144 + 16) + (4 * 72 + 8 * 72 + 32) + (8 * 144 + 16 * 144 + 64) + 170,
    input: image(8, 3),
    output: [4, 10],
    labels: [0, 1, 2, 3],
    stages: ['stem', 'layer1.0', 'layer2.0', 'layer3.0', 'head'],
    rate: 0.1,
    paths: ['conv1.weight', 'bn1.weight', 'layer1.0.conv1.weight', 'layer3.0.bn2.bias', 'fc.weight'],
  },
  'resnet with group norm and projections': {
    make: () => resnet({ depth: 8, width: 4, norm: 'group', shortcut: 'projection' }) as Staged<Tree>,
    size: 27 * 4 + 8 + 304 + (896 + 32 + 16) + (3520 + 128 + 32) + 170,
    input: image(8, 3),
    output: [4, 10],
    labels: [0, 1, 2, 3],
    stages: ['stem', 'layer1.0', 'layer2.0', 'layer3.0', 'head'],
    rate: 0.1,
    paths: ['layer2.0.downsample.0.weight', 'layer2.0.downsample.1.bias'],
  },
  vit: {
    make: () => vit({ input: [8, 8, 2], patch: 4, dim: 8, depth: 2, heads: 2, classes: 3 }) as Staged<Tree>,
    size: 33 * 8 + 4 * 8 + 2 * (32 + 9 * 24 + 9 * 8 + 9 * 32 + 33 * 8) + 16 + 27,
    input: image(8, 2),
    output: [4, 3],
    labels: [0, 1, 2, 0],
    stages: ['embed', 'blocks.0', 'blocks.1', 'head'],
    rate: 0.3,
    paths: ['patch_embed.proj.weight', 'pos_embed', 'blocks.0.attn.qkv.weight', 'blocks.1.mlp.fc1.weight', 'norm.bias'],
  },
  'vit with a class token': {
    make: () =>
      vit({ input: [8, 8, 2], patch: 4, dim: 8, depth: 1, heads: 2, classes: 3, pool: 'cls' }) as Staged<Tree>,
    size: 33 * 8 + 5 * 8 + 8 + (32 + 9 * 24 + 9 * 8 + 9 * 32 + 33 * 8) + 16 + 27,
    input: image(8, 2),
    output: [4, 3],
    labels: [0, 1, 2, 0],
    stages: ['embed', 'blocks.0', 'head'],
    rate: 0.3,
    paths: ['cls_token'],
  },
  gpt: {
    make: () => gpt({ vocabulary: 5, context: 6, dim: 8, depth: 2, heads: 2 }) as Staged<Tree>,
    size: 5 * 8 + 6 * 8 + 2 * (32 + 9 * 24 + 9 * 8 + 9 * 32 + 33 * 8) + 16,
    input: tokens,
    output: [2, 4, 5],
    labels: [1, 2, 3, 4, 0, 1, 2, 3],
    stages: ['embed', 'blocks.0', 'blocks.1', 'head'],
    rate: 0.1,
    steps: 30,
    paths: ['token_embed.weight', 'pos_embed.weight', 'blocks.1.mlp.fc2.bias', 'norm.weight'],
  },
  'gpt with rotary positions, rms norm and a head of its own': {
    make: () =>
      gpt({ vocabulary: 5, dim: 8, depth: 1, heads: 2, positions: 'rotary', norm: 'rms', tied: false }) as Staged<Tree>,
    size: 5 * 8 + (16 + 9 * 24 + 9 * 8 + 9 * 32 + 33 * 8) + 8 + 40,
    input: tokens,
    output: [2, 4, 5],
    labels: [1, 2, 3, 4, 0, 1, 2, 3],
    stages: ['embed', 'blocks.0', 'head'],
    rate: 0.5,
    paths: ['head.weight'],
  },
};

function crossEntropy(logits: tf.Tensor, labels: number[]): tf.Scalar {
  const classes = logits.shape[logits.rank - 1]!;
  const rows = tf.reshape(logits, [-1, classes]);
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(rows), tf.oneHot(labels, classes)), 1)));
}

describeEachBackend('models', () => {
  for (const [name, { make, size, input, output, labels, stages, rate, paths, steps = 12 }] of Object.entries(cases)) {
    it(`${name} has its parameters, stages and output, and equals the fold of its stages`, async () => {
      await expectNoLeak(async () => {
        const model = make();
        const [params, same, x, state] = [model.init(key(1)), model.init(key(1)), input(), createState()];
        expect(treeSize(params)).toBe(size);
        expect(treeEntries(params).map(([path]) => path)).toEqual(expect.arrayContaining(paths));
        for (const [i, leaf] of treeLeaves(same).entries()) await expectClose(leaf, treeLeaves(params)[i]!, 0);
        expect(model.stages.map((stage) => stage.name)).toEqual(stages);
        const ctx = { train: false, state };
        const whole = model.apply(params, x, ctx);
        expect(whole.shape).toEqual(output);
        const folded = tf.tidy(() => model.stages.reduce((h, stage) => stage.apply(params, h, ctx), x));
        await expectClose(folded, whole, 0);
        // Every parameter belongs to a stage.
        const read = new Set(model.stages.flatMap((stage) => treeLeaves(stage.params(params))));
        expect(read.size).toBe(treeLeaves(params).length);
        state.dispose();
        treeDispose([params, same, x, whole, folded]);
      });
    });

    it(`${name} learns a tiny problem`, async () => {
      await expectNoLeak(async () => {
        const model = make();
        const [x, state] = [input(), createState()];
        let params = model.init(key(1));
        const losses: tf.Scalar[] = [];
        for (let step = 0; step < steps; step++) {
          const ctx = { train: true, key: key(step), state };
          const [loss, grads] = valueAndGrad((p: Tree) => crossEntropy(model.apply(p, x, ctx), labels))(params);
          const next = treeMap((p, g) => tf.tidy(() => tf.sub(p, tf.mul(g!, rate))), params, grads);
          treeDispose([params, grads]);
          params = next;
          losses.push(loss);
        }
        const first = (await losses[0]!.data())[0]!;
        const last = (await losses[losses.length - 1]!.data())[0]!;
        expect(last).toBeLessThan(0.7 * first);
        state.dispose();
        treeDispose([params, x, losses]);
      });
    });
  }

  for (const [name, { make, input, labels }] of Object.entries(cases)) {
    it(`${name} has equal derivatives forward and backward`, async () => {
      const model = make();
      const [params, x] = [model.init(key(1)), input()];
      const v = treeMap((leaf) => normalTensor(leaf.size, leaf.shape), params);
      await expectNoLeak(async () => {
        const loss = (p: Tree) => crossEntropy(model.apply(p, x, { train: true, key: key(5) }), labels);
        const [value, grads] = valueAndGrad(loss)(params);
        const [out, tangent] = jvp(loss, [params], [v]);
        const dot = tf.tidy(() => tf.addN(treeLeaves(treeMap((g, d) => tf.sum(tf.mul(g, d!)), grads, v))));
        await expectClose(out, value, 1e-6);
        await expectClose(tangent, dot, 2e-4);
        treeDispose([value, grads, out, tangent, dot]);
      });
      treeDispose([params, x, v]);
    });
  }

  it('a Hessian-vector product of a gpt equals the differences of its gradients', async () => {
    const model = gpt({
      vocabulary: 5,
      dim: 8,
      depth: 1,
      heads: 2,
      positions: 'rotary',
      weightInit: normal({ sd: 0.3 }),
    });
    const [params, x] = [model.init(key(1)), tokens()];
    const v = treeMap((leaf) => normalTensor(leaf.size, leaf.shape), params);
    await expectNoLeak(async () => {
      const loss = (p: typeof params) => crossEntropy(model.apply(p, x), cases['gpt']!.labels);
      const product = hvp(loss, params, v);
      const gradientAt = (step: number) => {
        const moved = treeMap((p, d) => tf.tidy(() => tf.add(p, tf.mul(d!, step))), params, v);
        const [value, grads] = valueAndGrad(loss)(moved);
        treeDispose([moved, value]);
        return grads;
      };
      const [plus, minus] = [gradientAt(1e-3), gradientAt(-1e-3)];
      const [error, size] = tf.tidy(() => {
        const numeric = treeMap((a, b) => tf.div(tf.sub(a, b!), 2e-3), plus, minus);
        const norm = (tree: Tree) => tf.sqrt(tf.addN(treeLeaves(tree).map((leaf) => tf.sum(tf.square(leaf)))));
        return [norm(treeMap((a, b) => tf.sub(a, b!), product, numeric)), norm(product)];
      });
      expect((await error!.data())[0]! / (await size!.data())[0]!).toBeLessThan(1e-2);
      treeDispose([product, plus, minus, error!, size!]);
    });
    treeDispose([params, x, v]);
  });

  it('a gpt sees nothing of what comes after', async () => {
    await expectNoLeak(async () => {
      const model = gpt({ vocabulary: 5, context: 6, dim: 8, depth: 2, heads: 2 });
      const params = model.init(key(1));
      const [a, b] = [tf.tensor2d([[1, 2, 3, 4]], [1, 4], 'int32'), tf.tensor2d([[1, 2, 0, 0]], [1, 4], 'int32')];
      const [first, second, differs] = tf.tidy(() => {
        const [p, q] = [model.apply(params, a), model.apply(params, b)];
        const head = (y: tf.Tensor) => tf.slice(y, [0, 0, 0], [1, 2, 5]);
        return [head(p), head(q), tf.max(tf.abs(tf.sub(p, q)))];
      });
      await expectClose(first!, second!, 0);
      expect((await differs!.data())[0]).toBeGreaterThan(1e-5);
      const long = tf.zeros([1, 7], 'int32');
      expect(() => model.apply(params, long)).toThrow(/at most 6 tokens \('context'\), got 7/);
      treeDispose([params, a, b, first!, second!, differs!, long]);
    });
  });

  it('takes other modules for its branches', async () => {
    await expectNoLeak(async () => {
      const nothing = { init: () => ({}), apply: (_: Tree, x: tf.Tensor) => tf.zerosLike(x) };
      const model = vit({ dim: 8, depth: 1, heads: 1, block: () => ({ attn: nothing, mlp: nothing }) });
      const [params, x] = [model.init(key(1)), normalTensor(1, [1, 28, 28, 1])];
      expect(treeEntries(params.blocks).map(([path]) => path)).toEqual([
        '0.norm1.weight',
        '0.norm1.bias',
        '0.norm2.weight',
        '0.norm2.bias',
      ]);
      const [before, after] = tf.tidy(() => {
        const h = model.stages[0]!.apply(params, x);
        return [h, model.stages[1]!.apply(params, h)];
      });
      await expectClose(after!, before!, 0);
      treeDispose([params, x, before!, after!]);
    });
  });

  it('refuses options that fit no net', () => {
    expect(() => mlp([3])).toThrow(/sizes are those of input/);
    expect(() => resnet({ depth: 18 })).toThrow(/depth must be 6n \+ 2/);
    expect(() => vit({ patch: 5 })).toThrow(/patch must divide/);
    expect(() => gpt({ vocabulary: 0 })).toThrow(/vocabulary must be a positive integer/);
  });
});
