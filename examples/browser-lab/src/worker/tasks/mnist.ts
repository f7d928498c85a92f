import { softmaxCrossEntropy } from '@frugal/core-trainer';
import {
  examplesFromIdx,
  fetchBytes,
  type LabelledImages,
  normalizations,
  parseIdx,
  takeRows,
  toDataset,
} from '@frugal/datasets';
import { exitCosts, exitLoss, maxProbability, plainHead, runExits, withExits } from '@frugal/early-exit';
import { dense, mlp } from '@frugal/nn';
import { key, type LossFunction, type Module, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Config } from '../../config.ts';
import type { Drawn } from '../../protocol.ts';
import { atHome } from '../home.ts';
import type { Task } from '../task.ts';

/** Digits that are shown, and the certainty at which one may leave. */
const SHOWN = 60;
const SURE = [0.95, 0.95];
const PIXELS = 784;

async function images(name: string): Promise<LabelledImages> {
  const part = async (kind: string) => parseIdx(await fetchBytes(atHome(`data/${name}-${kind}`)));
  return examplesFromIdx(await part('images'), await part('labels')) as LabelledImages;
}

/** Handwritten digits, by a network that easy ones leave early: after the pixels, or after the first layer. */
export async function mnistTask({ width, batch }: Config): Promise<Task> {
  const [learn, test] = await Promise.all([images('learn'), images('test')]);
  const backbone = mlp([PIXELS, width, width, 10]) as Staged as Staged<Tree>;
  const model = withExits(backbone, [
    { at: 0, head: plainHead(dense(PIXELS, 10) as Module as Module<Tree>) },
    { at: 1, head: plainHead(dense(width, 10) as Module as Module<Tree>) },
  ]);
  const options = { normalization: normalizations.mnist, flatten: true } as const;
  const scale = (bytes: Uint8Array): tf.Tensor2D =>
    tf.tensor2d(
      Float32Array.from(bytes, (byte) => (byte / 255 - 0.1307) / 0.3081),
      [bytes.length / PIXELS, PIXELS],
    );
  const shown = takeRows(
    test,
    Int32Array.from({ length: SHOWN }, (_, i) => i),
  );
  const held = toDataset(test, { ...options, batchSize: 500, shuffle: false });

  async function outputs(params: Tree, pixels: Uint8Array): Promise<Drawn['exits']> {
    const x = scale(pixels);
    const costs = exitCosts(model, params as never, x);
    const exits = [];
    let flops = 0;
    const policies = [
      [0, 2],
      [2, 0],
      [2, 2],
    ]; // who is asked: the first exit, the second, the end
    for (const thresholds of policies) {
      const run = await runExits(model, params as never, x, { policy: maxProbability(thresholds), costs });
      const chances = tf.softmax(run.output);
      const values = await chances.data();
      flops = run.cost[0]!;
      const digit = values.indexOf(Math.max(...values));
      exits.push({ digit, sure: values[digit]!, flops });
      tf.dispose([run.output, chances]);
    }
    x.dispose();
    return exits;
  }

  return {
    model: model as unknown as Module<Tree>,
    data: toDataset(learn, { ...options, batchSize: batch }) as never,
    loss: exitLoss(model, softmaxCrossEntropy, { weights: [0.3, 0.3, 1] }) as unknown as LossFunction<Tree, Tree>,
    metric: `right on ${test.size.toLocaleString('en')} test digits`,
    every: 100,
    layers: ['hidden 1', 'hidden 2'],
    async evaluate(params) {
      let right = 0;
      for await (const { x, y } of held.batches({ key: key(0), epoch: 0 })) {
        const sum = tf.tidy(() => {
          const logits = backbone.apply((params as { backbone: Tree }).backbone, x);
          return tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), y), 'float32'));
        });
        right += (await sum.data())[0]!;
        tf.dispose([x, y, sum]);
      }
      return right / test.size;
    },
    async view(params) {
      const x = scale(shown.x);
      const costs = exitCosts(model, params as never, x);
      const { output, exits, cost } = await runExits(model, params as never, x, {
        policy: maxProbability(SURE),
        costs,
      });
      const said = tf.argMax(output, 1);
      const answers = [...(await said.data())];
      tf.dispose([x, output, said]);
      return {
        kind: 'digits',
        pixels: shown.x,
        answers,
        labels: [...shown.y],
        exits: [...exits],
        cost,
        full: costs.full,
      };
    },
    pass: (params) => {
      const x = scale(shown.x);
      tf.dispose([x, backbone.apply((params as { backbone: Tree }).backbone, x)]);
    },
    async digit(params, pixels, sure) {
      const exits = await outputs(params, pixels);
      const leaves = exits.findIndex((exit) => exit.sure >= sure);
      return { exits, leaves: leaves === -1 ? exits.length - 1 : leaves };
    },
  };
}
