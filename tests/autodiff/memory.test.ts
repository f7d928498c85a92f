import * as nn from '@frugal/nn';
import { jvp, jvpMany, key, meter, rankOne, type TangentTree, type Tree, treeDispose, treeMap } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { draw } from './nets.ts';

const width = 64;

/** Peak bytes of a pass through as many layers, beyond what the caller holds. */
function peak(depth: number, pass: (f: (p: Tree) => tf.Tensor, params: Tree) => unknown): number {
  const module = nn.mlp(new Array<number>(depth + 1).fill(width), { activation: 'tanh' });
  const [params, x] = [module.init(key(1)) as Tree, draw([32, width], 2)];
  const { peakBytes } = meter(() => pass((p) => tf.tidy(() => tf.mean(module.apply(p as never, x))), params));
  treeDispose([params, x]);
  return peakBytes;
}

const dense = (params: Tree, directions?: number): Tree =>
  treeMap((leaf) => tf.fill(directions === undefined ? leaf.shape : [directions, ...leaf.shape], 0.01), params);

const passes: Record<string, (f: (p: Tree) => tf.Tensor, params: Tree) => TangentTree> = {
  'dense tangents': (f, params) => {
    const v = dense(params);
    treeDispose(jvp(f, [params], [v]));
    return v;
  },
  'rank-one tangents': (f, params) => {
    const v = (params as { weight: tf.Tensor }[]).map(({ weight }) => ({
      weight: rankOne(draw([weight.shape[0]!], 1), draw([weight.shape[1]!], 2)),
    }));
    treeDispose(jvp(f, [params], [v]));
    return v;
  },
  'four directions': (f, params) => {
    const v = dense(params, 4);
    treeDispose(jvpMany(f, [params], [v]));
    return v;
  },
};

describeEachBackend('memory of forward mode', () => {
  it.each(Object.entries(passes))('does not grow with depth: %s', async (_, pass) => {
    await expectNoLeak(() => {
      // What the tangents themselves take is the caller's and made inside the meter: subtracted.
      const beyond = (depth: number): number => {
        let tangents = 0;
        const most = peak(depth, (f, params) => {
          const v = pass(f, params);
          tangents = bytes(v);
          treeDispose(v as never);
        });
        return most - tangents;
      };
      const [few, many] = [beyond(5), beyond(100)];
      expect(many / few).toBeLessThan(1.05);
    });
  });
});

/** Bytes of the dense leaves and factors of a tree of tangents. */
function bytes(tree: TangentTree): number {
  if (tree == null) return 0;
  if (tree instanceof tf.Tensor) return 4 * tree.size;
  if ('u' in tree) return 4 * ((tree.u as tf.Tensor).size + (tree.v as tf.Tensor).size);
  return Object.values(tree).reduce((sum, child) => sum + bytes(child as TangentTree), 0);
}
