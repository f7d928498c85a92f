// jvpMany: 16 directions through an MLP 784-1024-1024-10 in one pass ÷ 16 single passes; rank-one and dense signs.
import { mlp } from '@frugal/nn';
import {
  foldIn,
  jvp,
  jvpMany,
  type Key,
  key,
  randomIntegers,
  randomNormal,
  randomSigns,
  rankOne,
  softmaxCrossEntropy,
  type TangentTree,
  type Tree,
  treeLeaves,
  treeUnflatten,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';

const DIRECTIONS = 16;
const SIZES = quick ? [784, 128, 128, 10] : [784, 1024, 1024, 10];

await useBackend(wasm({ threads: 1 }));
const model = mlp(SIZES);
const params = model.init(key(1)) as Tree;
const x = randomNormal(key(2), [64, SIZES[0]!]);
const labels = randomIntegers(key(3), [64], { max: SIZES.at(-1)! });
const loss = (p: Tree): tf.Tensor =>
  tf.tidy(() => tf.mean(softmaxCrossEntropy({ logits: model.apply(p as never, x), labels })));

/** Tangents with an axis of directions in front (`lead` [16]) or without one. */
function tangents(structure: 'rankOne' | 'dense', lead: number[], seed: Key): TangentTree {
  const leaves = (treeLeaves(params) as tf.Tensor[]).map((leaf, i) => {
    const of = (side: number): Key => foldIn(foldIn(seed, i), side);
    if (structure === 'dense' || leaf.rank < 2) return randomSigns(of(0), [...lead, ...leaf.shape]);
    const [n, m] = leaf.shape as [number, number];
    return rankOne(randomSigns(of(0), [...lead, n]), randomSigns(of(1), [...lead, m]), [...lead, n, m]) as never;
  });
  return treeUnflatten(params, leaves) as TangentTree;
}

const many = {
  rankOne: tangents('rankOne', [DIRECTIONS], key(4)),
  dense: tangents('dense', [DIRECTIONS], key(4)),
};
const one = { rankOne: tangents('rankOne', [], key(5)), dense: tangents('dense', [], key(5)) };

const sides = {
  'rank-one, together': () => tf.dispose(jvpMany(loss, [params], [many.rankOne])),
  'rank-one, single': () => tf.dispose(jvp(loss, [params], [one.rankOne])),
  'dense, together': () => tf.dispose(jvpMany(loss, [params], [many.dense])),
  'dense, single': () => tf.dispose(jvp(loss, [params], [one.dense])),
  forward: () => tf.dispose(loss(params)),
};
const times = await interleave(sides, { clock: 'cpu', rounds: quick ? 5 : 21 });
table(Object.entries(times).map(([side, { best, median }]) => ({ side, 'ms (best)': best, 'ms (median)': median })));
const ratio = (structure: 'rank-one' | 'dense'): number =>
  times[`${structure}, together`].best / (DIRECTIONS * times[`${structure}, single`].best);
finish('jvp-many', { many16: ratio('rank-one'), many16_dense: ratio('dense') });
