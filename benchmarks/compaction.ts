// A LeNet 32-64-512 with three fifths of its units cut out, against the whole one, by the clock: batch 1 and 256, the worse. The whole one runs on the
// faster of Frugal's kernels and tfjs's own. Networks are read from benchmarks/checkpoints (runs/early-exit-checkpoint.sh, then
// runs/compaction-checkpoint.sh write them).
import { readMnist } from '@frugal/datasets/node';
import type { AnyModule } from '@frugal/nn';
import { type KeptUnits, pruneUnits } from '@frugal/sparsity-metrics';
import {
  type Dataset,
  key,
  type Labelled,
  type Module,
  meter,
  type Staged,
  type Tree,
  treeRestore,
  useBackend,
} from '@frugal/tensor';
import { loadSafetensors } from '@frugal/tensor/node';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, median, quick, table } from './harness.ts';
import { pathOfCheckpoint, readCheckpoint } from './support/checkpoints.ts';
import { copyTree } from './support/copy-tree.ts';
import { cutOf, maskedParams, SHARE } from './support/cut-lenet.ts';
import { batchesOf, lenet } from './support/exit-lenet.ts';
import { addStockBackend } from './support/stock.ts';

const stock = await addStockBackend();
await useBackend(wasm({ threads: 1 }));
const whole = lenet as unknown as Staged;
// --quick has no need of trained networks: random ones take the same time, and masked and compacted must agree all the same.
const params: Tree = quick ? whole.init(key(1)) : await readCheckpoint('lenet.backbone', whole);
const file = quick ? undefined : await loadSafetensors(pathOfCheckpoint('lenet.cut'));
const kept =
  file === undefined
    ? await pruneUnits(whole as AnyModule, params, SHARE)
    : (JSON.parse(file.metadata['kept']!) as KeptUnits);
const shaped = await cutOf(whole, params, kept);
const small = shaped.model as unknown as Module;
const smallParams = file === undefined ? shaped.params : treeRestore(shaped.params, Object.entries(file.tensors));
const masked = await maskedParams(params, smallParams, kept);

/** The share of right answers on the test images. */
async function accuracy(net: Module, p: Tree, data: Dataset<Labelled>): Promise<number> {
  let right = 0;
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    const count = tf.tidy(() => tf.sum(tf.cast(tf.equal(tf.argMax(net.apply(p, x), 1), y), 'int32')));
    right += (await count.data())[0]!;
    tf.dispose([x, y, count]);
  }
  return right / data.size;
}

const mnist = await readMnist();
const test = batchesOf(quick ? { ...mnist.test, size: 500 } : mnist.test, 500);
const dense = whole as unknown as Module;
const [before, after] = [await accuracy(dense, params, test), await accuracy(small, smallParams, test)];

/** The largest difference between what the masked and the compacted network say, ÷ the largest output. */
let difference = 0;
const flops: number[] = [];
for await (const { x, y } of batchesOf(mnist.test, 256).batches({ key: key(0), epoch: 0 })) {
  const gap = tf.tidy(() => {
    const [a, b] = [dense.apply(masked, x), small.apply(smallParams, x)];
    return tf.div(tf.max(tf.abs(tf.sub(a, b))), tf.max(tf.abs(a)));
  });
  difference = (await gap.data())[0]!;
  gap.dispose();
  for (const run of [() => dense.apply(params, x), () => small.apply(smallParams, x)]) {
    const { result, flops: count } = await meter(run);
    flops.push(count);
    result.dispose();
  }
  tf.dispose([x, y]);
  break;
}
if (!(difference <= 1e-5)) throw new Error(`Masked and compacted differ by ${difference}.`);

const rows = [];
const speedups: number[] = [];
for (const batch of [1, 256]) {
  const ours = tf.getBackend();
  const inputs: Record<string, { x: tf.Tensor; params: Tree }> = {};
  const [x] = await firstOf(batch);
  inputs['whole'] = { x: x!, params };
  inputs['cut'] = { x: x!, params: smallParams };
  inputs['whole, tfjs'] = { x: await copyTree(stock, x!), params: await copyTree(stock, params) };
  const forward = (net: Module, name: string) => async () => {
    const one = inputs[name]!;
    const y = net.apply(one.params, one.x);
    await y.data();
    y.dispose();
  };
  const times = await interleave(
    { whole: forward(dense, 'whole'), 'whole, tfjs': forward(dense, 'whole, tfjs'), cut: forward(small, 'cut') },
    { clock: 'cpu', before: (name) => tf.setBackend(name === 'whole, tfjs' ? stock : ours) },
  );
  tf.setBackend(ours);
  const speedup = median(
    times.cut.samples.map((cut, i) => Math.min(times.whole.samples[i]!, times['whole, tfjs'].samples[i]!) / cut),
  );
  speedups.push(speedup);
  rows.push({
    batch,
    'whole ms': times.whole.median,
    'whole, tfjs ms': times['whole, tfjs'].median,
    'cut ms': times.cut.median,
    speedup,
  });
}

/** The first so many test images. */
async function firstOf(count: number): Promise<tf.Tensor[]> {
  for await (const { x, y } of batchesOf(mnist.test, count).batches({ key: key(0), epoch: 0 })) {
    y.dispose();
    return [x];
  }
  return [];
}

table(rows);
finish('compaction', {
  speedup: Math.min(...speedups),
  accuracy_dense: before,
  accuracy_cut: after,
  accuracy_loss: before - after,
  flops_factor: flops[0]! / flops[1]!,
  largest_difference: difference,
});
