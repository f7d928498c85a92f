// Optimizer steps alone: gradients are given, the parameters of an MLP move. Ours by `step`, by `update` and adding, and tfjs's.
import {
  adafactor,
  adam,
  adamw,
  applyUpdates,
  chain,
  clipByGlobalNorm,
  lion,
  momentum,
  muon,
  nadamw,
  nesterov,
  prodigy,
  scheduleFreeAdamw,
  sgd,
  takeStep,
} from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import {
  cpu,
  foldIn,
  type GradientTransformation,
  key,
  randomNormal,
  type Tree,
  treeDispose,
  treeMap,
  treeSize,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, type Side, table } from './harness.ts';

const ours: Record<string, () => GradientTransformation> = {
  sgd: () => sgd(1e-3),
  momentum: () => momentum(1e-3),
  nesterov: () => nesterov(1e-3),
  adam: () => adam(1e-3),
  adamw: () => adamw(1e-3),
  'clipped adamw': () => chain(clipByGlobalNorm(1), adamw(1e-3)),
  nadamw: () => nadamw(1e-3),
  lion: () => lion(1e-4),
  adafactor: () => adafactor(1e-3),
  prodigy: () => prodigy(),
  'schedule-free adamw': () => scheduleFreeAdamw(),
  muon: () => muon(1e-3),
};
const theirs: Record<string, () => tf.Optimizer> = {
  sgd: () => tf.train.sgd(1e-3),
  momentum: () => tf.train.momentum(1e-3, 0.9),
  nesterov: () => tf.train.momentum(1e-3, 0.9, true),
  adam: () => tf.train.adam(1e-3, 0.9, 0.999, 1e-8),
};
const backends = [
  { provider: wasm(), sizes: [784, 1024, 1024, 10] },
  { provider: wasm(), sizes: [784, 32, 10] },
  { provider: cpu(), sizes: [784, 32, 10] },
];

/** One step by `step`, or by `update` and adding. */
function stepping(
  optimizer: GradientTransformation,
  start: Tree,
  grads: Tree,
  fused: boolean,
): Side & { free(): void } {
  let params = treeMap((p) => p.clone(), start);
  let state = optimizer.init(params);
  let step = 0;
  const side = (): void => {
    if (fused) {
      [params, state] = takeStep(optimizer, grads, state, params, { step: step++ });
      return;
    }
    const [updates, next] = optimizer.update(grads, state, params, { step: step++ });
    const moved = applyUpdates(params, updates);
    treeDispose([updates as Tree, params, state]);
    [params, state] = [moved, next];
  };
  return Object.assign(side, { free: () => treeDispose([params, state]) });
}

/** One step of an optimizer of tfjs. */
function applying(optimizer: tf.Optimizer, start: Tree, grads: Tree): Side & { free(): void } {
  const variables: tf.Variable[] = [];
  treeMap((p) => {
    variables.push(tf.variable(p));
    return p;
  }, start);
  const given: { name: string; tensor: tf.Tensor }[] = [];
  treeMap((g) => {
    given.push({ name: variables[given.length]!.name, tensor: g });
    return g;
  }, grads);
  const side = (): void => optimizer.applyGradients(given);
  return Object.assign(side, { free: () => tf.dispose(variables) });
}

const figures: Record<string, number> = {};
for (const { provider, sizes } of backends) {
  await useBackend(provider);
  const start = mlp(sizes).init(key(1)) as Tree;
  let leaf = 0;
  const grads = treeMap((p) => randomNormal(foldIn(key(2), leaf++), p.shape as number[]), start);
  const rows = [];
  for (const [name, make] of Object.entries(ours)) {
    const optimizer = make();
    const sides = {
      step: stepping(optimizer, start, grads, true),
      'update and add': stepping(optimizer, start, grads, false),
      ...(theirs[name] === undefined ? {} : { tfjs: applying(theirs[name](), start, grads) }),
    };
    const times = await interleave<string>(sides, { rounds: quick ? 5 : 9, sampleTime: quick ? 5 : 40 });
    for (const side of Object.values(sides)) side.free();
    const [step, plain, tfjs] = [times.step!.best, times['update and add']!.best, times.tfjs?.best];
    const where = `${provider.name} ${sizes.join('-')}`;
    rows.push({
      [`${where}, ${treeSize(start)} parameters (best of the rounds)`]: name,
      'step ms': step,
      'update and add ms': plain,
      'tfjs ms': tfjs ?? '',
      'update and add ÷ step': plain / step,
      'tfjs ÷ step': tfjs === undefined ? '' : tfjs / step,
    });
    const size = sizes.length === 4 ? 'large' : 'small';
    if (tfjs !== undefined) figures[`${provider.name}_${size}_${name}_vs_tfjs`] = tfjs / step;
  }
  table(rows);
  console.log();
  treeDispose([start, grads]);
}
finish('optimizers', figures);
