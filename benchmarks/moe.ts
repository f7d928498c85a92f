// A sparse layer against the dense one of all its experts: how close is the clock to the share of the FLOPs?
import { type DispatchPlan, moe, topKRouter, withPlans } from '@frugal/moe';
import { denseReference } from '@frugal/moe/testing';
import { foldIn, key, meter, randomNormal, segmentMatMul, useBackend, valueAndGrad } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';

const [dim, hidden, experts] = [256, 1024, 8];
const figures: Record<string, number> = {};
const rows: Record<string, string | number>[] = [];
await useBackend(wasm());

/** The dense network as wide as all experts together: two products. */
type Dense = { w1: tf.Tensor2D; b1: tf.Tensor1D; w2: tf.Tensor2D; b2: tf.Tensor1D };
const wide = experts * hidden;
const dense: Dense = {
  w1: randomNormal(key(1), [dim, wide], { sd: Math.sqrt(2 / dim) }) as tf.Tensor2D,
  b1: tf.zeros([wide]),
  w2: randomNormal(key(2), [wide, dim], { sd: Math.sqrt(1 / wide) }) as tf.Tensor2D,
  b2: tf.zeros([dim]),
};
const fused = ({ w1, b1, w2, b2 }: Dense, x: tf.Tensor2D): tf.Tensor => {
  const h = tf.fused.matMul({ a: x, b: w1, bias: b1, activation: 'relu' });
  return tf.fused.matMul({ a: h, b: w2, bias: b2 });
};
const oneSegment = ({ w1, b1, w2, b2 }: Dense, x: tf.Tensor2D): tf.Tensor => {
  const ends = [x.shape[0]];
  const h = segmentMatMul({ x, w: tf.expandDims(w1, 0), bias: tf.expandDims(b1, 0) }, { ends, activation: 'relu' });
  return segmentMatMul({ x: h, w: tf.expandDims(w2, 0), bias: tf.expandDims(b2, 0) }, { ends });
};
const run = (f: () => tf.Tensor): void => f().dispose();

const settings = [
  { tokens: 512, k: 1 },
  { tokens: 512, k: 2 },
  { tokens: 2048, k: 1 },
  ...(quick
    ? []
    : [
        { tokens: 64, k: 1 },
        { tokens: 2048, k: 2 },
      ]),
];
let worst = 0;
for (const { tokens, k } of settings) {
  const layer = moe(topKRouter(dim, experts, { k }), dim, hidden, { kind: 'relu' });
  const params = layer.init(key(3));
  const x = randomNormal(foldIn(key(4), tokens), [tokens, dim]) as tf.Tensor2D;
  const at = (plan: DispatchPlan) => withPlans(new Map([['', plan]]));

  const { output, cost, plan } = await layer.run(params, x);
  const reference = denseReference(layer, params, x, plan);
  const difference = tf.tidy(() => tf.max(tf.abs(tf.sub(output, reference))));
  const apart = (await difference.data())[0]!;
  worst = Math.max(worst, apart);
  tf.dispose([output, reference, difference]);

  const { result, flops } = meter(() => tf.tidy(() => fused(dense, x)));
  result.dispose();
  const share = cost.reduce((sum, one) => sum + one, 0) / flops;

  const weigh = randomNormal(key(5), [tokens, dim]);
  const scalar = (y: tf.Tensor): tf.Tensor => tf.sum(tf.mul(y, weigh));
  const sides = {
    sparse: async () => (await layer.run(params, x)).output.dispose(),
    'dense, fused': () => run(() => tf.tidy(() => fused(dense, x))),
    'dense, one segment': () => run(() => tf.tidy(() => oneSegment(dense, x))),
    'sparse, both ways': async () => {
      const plan = await layer.route(params, x);
      const loss = (p: { params: typeof params; x: tf.Tensor }): tf.Tensor =>
        tf.tidy(() => scalar(layer.apply(p.params, p.x, at(plan))));
      tf.dispose(valueAndGrad(loss)({ params, x }) as tf.TensorContainer);
    },
    'dense, both ways': () => {
      const loss = (p: { dense: Dense; x: tf.Tensor2D }): tf.Tensor => tf.tidy(() => scalar(fused(p.dense, p.x)));
      tf.dispose(valueAndGrad(loss)({ dense, x }) as tf.TensorContainer);
    },
  };
  const times = await interleave<string>(sides, { rounds: quick ? 5 : 9 });
  const best = (name: string): number => times[name]!.best;
  const fastest = Math.min(best('dense, fused'), best('dense, one segment'));
  const forward = best('sparse') / (share * fastest);
  const training = best('sparse, both ways') / (share * best('dense, both ways'));
  rows.push({
    tokens,
    k,
    'share of FLOPs': share,
    'sparse ms': best('sparse'),
    'dense ms': fastest,
    'time ÷ (share × dense)': forward,
    'both ways': training,
    'largest difference': apart,
  });
  figures[`k${k}_${tokens}`] = forward;
  if (k === 1 && tokens === 512) figures.k1_train = training;
  tf.dispose([params, x, weigh] as tf.TensorContainer);
}
table(rows);
figures.difference = worst;
finish('moe', figures);
