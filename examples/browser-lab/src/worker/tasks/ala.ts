import { lossFunction, softmaxCrossEntropy } from '@frugal/core-trainer';
import { type Connections, napkinModel } from '@frugal/example-ala-ma-kota/model';
import type { Dataset, LossFunction, Module, Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { MakeTask } from '../task.ts';

const words = ['Ala', 'ma', 'kota', '.'];
const ids = (): tf.Tensor2D => tf.tensor2d([[0, 1, 2, 3]], [1, 4], 'int32');

/** The whole internet is one sentence; after the dot it starts again. */
export const alaTask: MakeTask = async ({ width }) => {
  const model = napkinModel(words.length, width);
  const data: Dataset<Tree> = {
    size: 1,
    batchSize: 1,
    batchesPerEpoch: 1,
    async *batches({ from = 0 }) {
      if (from === 0) yield { x: ids(), y: tf.tensor2d([[1, 2, 3, 0]], [1, 4], 'int32') };
    },
  };
  const loss = lossFunction(model as unknown as Module, softmaxCrossEntropy);

  async function chances(params: Tree): Promise<number[][]> {
    const table = tf.tidy(() => tf.softmax(tf.reshape(model.apply(params as Connections, ids()), [4, 4])));
    const values = [...(await table.data())];
    table.dispose();
    return words.map((_, i) => values.slice(4 * i, 4 * i + 4));
  }

  return {
    model: model as unknown as Module<Tree>,
    data,
    loss: loss as unknown as LossFunction<Tree, Tree>,
    metric: 'certainty of the right next word, at worst',
    goal: 0.95,
    every: 10,
    layers: ['neurons'],
    evaluate: async (params) => Math.min(...(await chances(params)).map((row, i) => row[(i + 1) % 4]!)),
    async view(params) {
      const table = await chances(params);
      const light = tf.tidy(() => model.light(params as Connections, ids()));
      const lit = [...(await light.data())];
      light.dispose();
      const said = [0];
      while (said.length < 4) {
        const row = table[said.at(-1)!]!;
        said.push(row.indexOf(Math.max(...row)));
      }
      return {
        kind: 'words',
        words,
        neurons: words.map((_, i) => lit.slice(i * width, (i + 1) * width)),
        chances: table,
        says: said.map((word) => words[word]).join(' '),
      };
    },
    pass: (params) => tf.dispose(model.apply(params as Connections, ids())),
  };
};
