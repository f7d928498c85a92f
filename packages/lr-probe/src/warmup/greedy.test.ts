import { sgd } from '@frugal/core-trainer';
import { readMnist } from '@frugal/datasets/node';
import { mlp } from '@frugal/nn';
import { type GradientTransformation, key, type Tree, treeDispose, treeMap, valueAndGrad } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { lineProbe } from '../probes/line-probe.ts';
import { newtonRate } from '../probes/newton-rate.ts';
import { curvatureAware } from './curvature-aware.ts';

/** 250 digits in 14 × 14 less their mean, targets one-hot. */
async function digits(): Promise<{ x: tf.Tensor; y: tf.Tensor }> {
  const { train } = await readMnist();
  return tf.tidy(() => {
    const pixels = Float32Array.from(train.x.subarray(0, 250 * 784), (byte) => (byte / 255 - 0.1307) / 0.3081);
    const flat = tf.reshape(tf.avgPool(tf.tensor4d(pixels, [250, 28, 28, 1]), 2, 2, 'valid'), [250, 196]);
    const labels = tf.tensor1d(Int32Array.from(train.y.subarray(0, 250)), 'int32');
    return { x: tf.sub(flat, tf.mean(flat, 0, true)), y: tf.cast(tf.oneHot(labels, 10), 'float32') };
  });
}

const net = mlp([196, 16, 16, 10], { activation: 'tanh' });

describeEachBackend('a greedy line search', (backend) => {
  // arXiv 2407.06183: what is best for a step never pushes the sharpness back, so that its steps get shorter.
  it.runIf(backend === 'wasm')('wins the step and loses the run, against a constant rate near the edge', async () => {
    const batch = await digits();
    const loss = (p: Tree, { x, y }: typeof batch): tf.Tensor =>
      tf.mul(0.5, tf.sum(tf.square(tf.sub(net.apply(p as never, x), y)), 1));
    const value = (p: Tree): tf.Tensor => tf.mean(loss(p, batch));
    const gradient = valueAndGrad(value);

    async function descend(optimizer: GradientTransformation, steps: number): Promise<{ params: Tree; loss: number }> {
      let params = net.init(key(2)) as Tree;
      let state = optimizer.init(params);
      for (let step = 0; step < steps; step++) {
        const [now, grads] = gradient(params);
        const evaluate = (at: Tree): tf.Scalar => tf.tidy(() => value(at) as tf.Scalar);
        const extra = { step, loss: now as tf.Scalar, evaluate };
        const [updates, next] = optimizer.update(grads, state, params, extra);
        const moved = treeMap((p, u) => tf.add(p, u!), params, updates);
        treeDispose([now, grads, params, state]);
        treeDispose(updates);
        [params, state] = [moved, next];
      }
      const end = tf.tidy(() => value(params));
      const reached = (await end.data())[0]!;
      treeDispose([end, state]);
      return { params, loss: reached };
    }

    const rate = 0.5;
    const early = await descend(sgd(rate), 30);
    const problem = { loss, params: early.params, data: [batch], key: key(1) };
    const best = await newtonRate(problem, { optimizer: sgd });
    const { points } = await lineProbe(problem, { optimizer: sgd, rates: [best.rate, rate] });
    expect(points[0]!.loss).toBeLessThan(points[1]!.loss);

    const greedy = await descend(curvatureAware(sgd(1), { sigma: 1, smoothing: 0, initial: 0.1 }), 120);
    const constant = await descend(sgd(rate), 120);
    expect(greedy.loss).toBeGreaterThan(1.1 * constant.loss);
    expect(greedy.loss).toBeLessThan(early.loss);
    treeDispose([early.params, greedy.params, constant.params]);
    tf.dispose(batch);
  });
});
