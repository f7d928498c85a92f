// A boosted layer against the dense network of all its learners: is its time linear in the mean number of learners, and what does it cost
// when every token gets all of them?
import { foldIn, key, meter, randomNormal, randomUniform, useBackend, withPlans } from '@frugal/tensor';
import { mlpGate, planCounts, tokenBoost } from '@frugal/token-boost';
import { denseReference } from '@frugal/token-boost/testing';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';

const [dim, learners, hidden, tokens] = [256, 4, 256, 1024];
await useBackend(wasm());
const layer = tokenBoost(mlpGate(dim, learners), dim, hidden, { activation: 'relu' });
const params = layer.init(key(1));
const x = randomNormal(key(2), [tokens, dim]) as tf.Tensor2D;

/** The dense network of as many hidden units: two products. */
const wide = learners * hidden;
const [w1, b1] = [randomNormal(key(3), [dim, wide], { sd: Math.sqrt(2 / dim) }), tf.zeros([wide])];
const [w2, b2] = [randomNormal(key(4), [wide, dim], { sd: Math.sqrt(1 / wide) }), tf.zeros([dim])];
const dense = (): tf.Tensor =>
  tf.tidy(() => {
    const h = tf.fused.matMul({ a: x, b: w1 as tf.Tensor2D, bias: b1 as tf.Tensor1D, activation: 'relu' });
    return tf.fused.matMul({ a: h, b: w2 as tf.Tensor2D, bias: b2 as tf.Tensor1D });
  });

/** Numbers of learners with a mean, spread over all of them. */
async function countsOf(meanLearners: number): Promise<Uint8Array> {
  const device = randomUniform(foldIn(key(5), Math.round(8 * meanLearners)), [tokens * learners]);
  const draws = await device.data();
  device.dispose();
  return Uint8Array.from({ length: tokens }, (_, t) => {
    let count = 0;
    for (let j = 0; j < learners; j++) if (draws[t * learners + j]! < meanLearners / learners) count++;
    return count;
  });
}

const means = quick ? [0.5, 1.5, 2.5, 3.5] : [0.5, 1, 1.5, 2, 2.5, 3, 3.5];
const mixes = [...(await Promise.all(means.map(countsOf))), new Uint8Array(tokens).fill(learners)];
/** What `run` does, with these numbers for the gate's: the gate's logits are computed and read all the same. */
const boosted = async (counts: Uint8Array): Promise<void> => {
  await layer.plan(params, x);
  const plan = planCounts(counts, learners);
  layer.apply(params, x, withPlans(new Map([['', plan]]))).dispose();
};

let difference = 0;
for (const counts of mixes) {
  const plan = planCounts(counts, learners);
  const apart = tf.tidy(() => {
    const reference = denseReference(layer as never, params as never, x, plan);
    return tf.max(tf.abs(tf.sub(layer.apply(params, x, withPlans(new Map([['', plan]]))), reference)));
  });
  difference = Math.max(difference, (await apart.data())[0]!);
  apart.dispose();
}

const sides: Record<string, () => unknown> = { dense: () => dense().dispose() };
for (const [i, counts] of mixes.entries()) sides[`mix ${i}`] = () => boosted(counts);
const times = await interleave<string>(sides, { rounds: quick ? 5 : 9 });
const best = (name: string): number => times[name]!.best;

const points = mixes.map((counts, i) => ({
  learners: counts.reduce((a, b) => a + b, 0) / tokens,
  ms: best(`mix ${i}`),
}));

/** The line through points, and the share of their variance that it explains. */
function line(all: typeof points): { slope: number; intercept: number; r2: number } {
  const n = all.length;
  const [mx, my] = [all.reduce((s, p) => s + p.learners, 0) / n, all.reduce((s, p) => s + p.ms, 0) / n];
  const sxy = all.reduce((s, p) => s + (p.learners - mx) * (p.ms - my), 0);
  const sxx = all.reduce((s, p) => s + (p.learners - mx) ** 2, 0);
  const syy = all.reduce((s, p) => s + (p.ms - my) ** 2, 0);
  return { slope: sxy / sxx, intercept: my - (sxy / sxx) * mx, r2: sxy ** 2 / (sxx * syy) };
}

const { r2, intercept } = line(points);
table(points.map(({ learners, ms }) => ({ 'mean learners': learners, ms, 'time ÷ dense': ms / best('dense') })));
const { result, flops } = meter(dense);
result.dispose();
finish('token-boost', {
  r2,
  intercept: intercept / best('dense'),
  full_overhead: points.at(-1)!.ms / best('dense') - 1,
  gate_share: (layer.gate.flopsPerToken * tokens) / flops,
  difference,
});
