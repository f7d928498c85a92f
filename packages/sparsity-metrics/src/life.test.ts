import { lifeSteps } from '@frugal/datasets';
import * as nn from '@frugal/nn';
import { treeDispose, treeSize } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { probeActivations } from './activations/probe.ts';

// The smallest net for one step (arXiv 2009.01398): 3×3 with two filters, 1×1, 1×1; 25 parameters.
const model = nn.sequential({
  count: nn.wrap(nn.conv2d(1, 2, 3), { after: [nn.relu()] }),
  dead: nn.wrap(nn.conv2d(2, 1, 1), { after: [nn.relu()] }),
  alive: nn.wrap(nn.conv2d(1, 1, 1), { after: [nn.relu()] }),
});

/** s = neighbours + ½ cell; f = relu(s − 2), relu(s − 3.5); h = relu(1 − 2f₁ + 10f₂); out = relu(1 − 2h). */
function solution() {
  const kernel = [1, 1, 1, 1, 0.5, 1, 1, 1, 1].flatMap((w) => [w, w]);
  return {
    count: { weight: tf.tensor4d(kernel, [3, 3, 1, 2]), bias: tf.tensor1d([-2, -3.5]) },
    dead: { weight: tf.tensor4d([-2, 10], [1, 1, 2, 1]), bias: tf.tensor1d([1]) },
    alive: { weight: tf.tensor4d([-2], [1, 1, 1, 1]), bias: tf.tensor1d([1]) },
  };
}

describeEachBackend('the Game of Life in 25 parameters', () => {
  it('is right on all 512 neighbourhoods, exactly, and the probe says how silent it is', async () => {
    await expectNoLeak(async () => {
      const params = solution();
      expect(treeSize(params)).toBe(25);
      const boards = Uint8Array.from({ length: 512 * 9 }, (_, i) => (Math.floor(i / 9) >> (i % 9)) & 1);
      const x = tf.tensor4d(Float32Array.from(boards), [512, 3, 3, 1]);
      const y = model.apply(params, x);
      const next = lifeSteps(boards, 1, { height: 3, width: 3 });
      const expected = Array.from({ length: 512 }, (_, i) => next[9 * i + 4]!);
      expect(Array.from(await y.data())).toEqual(expected);
      const { layers } = await probeActivations(() => model.apply(params, x));
      expect(layers[2]).toMatchObject({ values: 512, zeros: 512 - expected.reduce((a, b) => a + b, 0) });
      treeDispose([params, x, y]);
    });
  });
});
