import { adam, fromTensors, sgd, train } from '@frugal/core-trainer';
import { readMnist } from '@frugal/datasets/node';
import { mlp } from '@frugal/nn';
import { key, type Tree, treeClone, treeDispose, valueAndGrad } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { adamPreconditioner } from '../curvature/operators.ts';
import { sharpness } from '../curvature/sharpness.ts';
import { blobs, release } from '../fixtures/problems.ts';
import { earlyPhase, trackSharpness } from './sharpness.ts';
import { stabilityThreshold } from './threshold.ts';
import { trackWeights } from './weights.ts';

/** 2,000 digits in 14 × 14, on request less their mean, targets one-hot. */
async function digits(centred: boolean): Promise<{ x: tf.Tensor; y: tf.Tensor }> {
  const { train: images } = await readMnist();
  return tf.tidy(() => {
    const pixels = Float32Array.from(images.x.subarray(0, 2000 * 784), (byte) => (byte / 255 - 0.1307) / 0.3081);
    const small = tf.avgPool(tf.tensor4d(pixels, [2000, 28, 28, 1]), 2, 2, 'valid');
    const labels = tf.tensor1d(Int32Array.from(images.y.subarray(0, 2000)), 'int32');
    const flat = tf.reshape(small, [2000, 196]);
    const x = centred ? tf.sub(flat, tf.mean(flat, 0, true)) : flat;
    return { x, y: tf.cast(tf.oneHot(labels, 10), 'float32') };
  });
}

const shallow = mlp([196, 24, 10], { activation: 'tanh' });
const deep = mlp([196, 24, 24, 10], { activation: 'tanh' });
/** Half the squared error, as the papers have it. */
const lossOf =
  (net: Pick<typeof deep, 'apply'>) =>
  (params: never, { x, y }: { x: tf.Tensor; y: tf.Tensor }): tf.Tensor1D =>
    tf.mul(0.5, tf.sum(tf.square(tf.sub(net.apply(params, x), y)), 1)) as tf.Tensor1D;

describeEachBackend('two-layer linear model', () => {
  /** f = u·v / √n on one example with target 0, loss f² / 2; λ₀ = (|u|² + |v|²) / n. */
  async function descend(multiple: number): Promise<{ losses: number[]; before: number; after: number; rate: number }> {
    const n = 256;
    const value = ({ u, v }: { u: tf.Tensor; v: tf.Tensor }): tf.Tensor =>
      tf.mul(0.5, tf.square(tf.div(tf.sum(tf.mul(u, v)), Math.sqrt(n))));
    const normal = (seed: number): tf.Tensor => tf.randomNormal([n], 0, 1, 'float32', seed);
    let params = { u: normal(3), v: normal(4) };
    const curvature = async (): Promise<number> => {
      const problem = { loss: value, params, data: [{ x: tf.zeros([1]) }], key: key(1) };
      const found = await sharpness(problem, { tolerance: 1e-4 });
      tf.dispose([found.vectors as tf.Tensor[], problem.data]);
      return found.sharpness;
    };
    const kernel = tf.tidy(() => tf.div(tf.add(tf.sum(tf.square(params.u)), tf.sum(tf.square(params.v))), n));
    const before = (await kernel.data())[0]!;
    kernel.dispose();
    const rate = multiple / before;
    const losses: number[] = [];
    for (let step = 0; step < 120; step++) {
      const [l, g] = valueAndGrad(value)(params);
      losses.push((await l.data())[0]!);
      const next = tf.tidy(() => ({
        u: tf.sub(params.u, tf.mul(g.u, rate)),
        v: tf.sub(params.v, tf.mul(g.v, rate)),
      }));
      tf.dispose([l, g, params]);
      params = next;
      if (!Number.isFinite(losses.at(-1)!)) break;
    }
    const after = Number.isFinite(losses.at(-1)!) ? await curvature() : Number.NaN;
    tf.dispose(params);
    return { losses, before, after, rate };
  }

  it('is lazy below 2/λ₀, is catapulted below 4/λ₀ to a flatter place, and diverges above', async () => {
    await expectNoLeak(async () => {
      for (const multiple of [1, 1.8]) {
        const { losses } = await descend(multiple);
        expect(losses.every((value, i) => i === 0 || value <= losses[i - 1]! * 1.0001)).toBe(true);
      }
      for (const multiple of [2.4, 3.4]) {
        const { losses, after, before, rate } = await descend(multiple);
        expect(Math.max(...losses)).toBeGreaterThan(2 * losses[0]!);
        expect(losses.at(-1)).toBeLessThan(1e-3 * losses[0]!);
        expect(after).toBeLessThan(2 / rate);
        expect(after).toBeLessThan(before);
      }
      const { losses } = await descend(4.4);
      expect(losses.at(-1)! > 1e3 * losses[0]! || !Number.isFinite(losses.at(-1)!)).toBe(true);
    });
  });
});

describeEachBackend('edge of stability', (backend) => {
  it.runIf(backend === 'wasm')(
    'full-batch descent on 2,000 digits sharpens up to 2/η and stays there',
    async () => {
      const batch = await digits(true);
      const [rate, loss] = [0.5, lossOf(deep)];
      const tracker = trackSharpness({ loss, data: [batch], key: key(1) } as never, { every: 50 });
      const weights = trackWeights({ every: 100 });
      const data = fromTensors(batch, { batchSize: 2000, shuffle: false });
      const run = train({
        ...{ model: deep, loss: loss as never, data, optimizer: sgd(rate), key: key(2), steps: 601 },
        hooks: [tracker, weights] as never,
      });
      const { params, optimizer, state } = await run.result;
      expect(tracker.points[0]!.threshold).toBeCloseTo(2 / rate, 5);
      // The first steps, at twice what is stable, flatten; then it sharpens by itself.
      const phase = earlyPhase(tracker.points.slice(1));
      expect(phase.sharpening).toBeGreaterThan(1.2);
      expect(phase.breakEven).toBeGreaterThan(100);
      const late = tracker.points.slice(-6).map(({ sharpness: value, threshold }) => value / threshold);
      for (const ratio of late) expect(Math.abs(ratio - 1)).toBeLessThan(0.05);
      expect(weights.points.at(-1)!.distance).toBeGreaterThan(weights.points[1]!.distance);
      expect(weights.points.at(-1)!.overlap).toBeLessThan(1);
      tracker.dispose();
      weights.dispose();
      tf.dispose([batch, params, optimizer, state] as never);
    },
    240_000,
  );

  it.runIf(backend === 'wasm')(
    "Adam's preconditioned sharpness comes near 38/η",
    async () => {
      const batch = await digits(false);
      const loss = lossOf(shallow);
      const [rate, beta2] = [4e-3, 0.99];
      const chain = adam(rate, { beta2, epsilon: 1e-8 });
      let params = shallow.init(key(2)) as Tree;
      let slots: Tree = chain.init(params);
      const gradient = valueAndGrad((p: Tree) => tf.mean(loss(p as never, batch)));
      const ratios: number[] = [];
      let start: tf.Tensor1D | undefined;
      for (let step = 0; step < 900; step++) {
        const [value, grads] = gradient(params);
        [params, slots] = chain.step!(grads, slots as never, params, { step }) as [Tree, Tree];
        treeDispose([value, grads]);
        if (step < 700 || step % 20 !== 0) continue;
        const { v } = (slots as unknown as { v: Tree }[])[0]!;
        const preconditioner = adamPreconditioner(v, { step: step + 1, beta2 });
        const found = await sharpness(
          { loss: loss as never, params, data: [batch], key: key(1) },
          {
            preconditioner,
            ...(start === undefined ? {} : { start }),
          },
        );
        start?.dispose();
        start = found.vectors[0]!;
        ratios.push(found.sharpness / stabilityThreshold(rate, { optimizer: 'adam' }));
        treeDispose(preconditioner);
      }
      expect(Math.abs(ratios.reduce((a, b) => a + b, 0) / ratios.length - 1)).toBeLessThan(0.1);
      tf.dispose([batch, params, slots, start!] as never);
    },
    240_000,
  );
});

describeEachBackend('sharpness that Adam feels', () => {
  it('is tracked by the moments that the loop shows, against 38/η', async () => {
    await expectNoLeak(async () => {
      const problem = blobs();
      const tracker = trackSharpness(problem, { every: 8, optimizer: 'adam', beta2: 0.99 });
      const run = train({
        model: { init: () => treeClone(problem.params) } as never,
        loss: problem.loss as never,
        data: fromTensors(problem.data[0 as never], { batchSize: 32, shuffle: false }) as never,
        ...{ optimizer: adam(0.02, { beta2: 0.99 }), key: key(2), steps: 9, hooks: [tracker] as never },
      });
      const { params, optimizer, state } = await run.result;
      const diagonal = adamPreconditioner((optimizer as unknown as { v: Tree }[])[0]!.v, { step: 9, beta2: 0.99 });
      const found = await sharpness({ ...problem, params: params as Tree }, { preconditioner: diagonal });
      expect(tracker.points.map(({ step }) => step)).toEqual([1, 9]);
      expect(tracker.points[1]!.threshold).toBeCloseTo(38 / 0.02, 3);
      expect(tracker.points[1]!.sharpness / found.sharpness).toBeCloseTo(1, 2);
      const blind = { step: 1, params: params as Tree };
      const event = { type: 'step', step: 1, epoch: 0, time: 0, examples: 1, loss: 1, metrics: {} } as const;
      await expect(tracker.onEvent(event as never, blind)).rejects.toMatchObject({ code: 'NO_SECOND_MOMENT' });
      tracker.dispose();
      tf.dispose([params, optimizer, state, diagonal, found.vectors] as never);
      release(problem);
    });
  });
});

it('stability thresholds are those of the papers', () => {
  expect(stabilityThreshold(0.1)).toBeCloseTo(20, 9);
  expect(stabilityThreshold(0.1, { optimizer: 'heavyBall' })).toBeCloseTo(38, 9);
  expect(stabilityThreshold(0.1, { optimizer: 'adam' })).toBeCloseTo(380, 9);
  expect(stabilityThreshold(0.1, { optimizer: 'nesterov' })).toBeCloseTo(38 / 2.8, 9);
});
