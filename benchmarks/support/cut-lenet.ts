// The cut LeNet of `bench compaction`: which units of the large one stay, and the parameters of both in each other's shape.
import * as nn from '@frugal/nn';
import { compact, type KeptUnits } from '@frugal/sparsity-metrics';
import { type Staged, type Tree, treeEntries, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Share of the units of each layer that is cut. */
export const SHARE = 0.6;

/** The cut model, with the weights that stay as its parameters. */
export async function cutOf(model: Staged, params: Tree, kept: KeptUnits): Promise<{ model: Staged; params: Tree }> {
  return compact(model, params, { nn, kept });
}

/** Which units of which layer feed the inputs of another one, and on how many positions each. */
const feeds: Readonly<Record<string, { readonly from: string; readonly positions: number }>> = {
  conv2: { from: 'conv1', positions: 1 },
  fc1: { from: 'conv2', positions: 49 },
  fc2: { from: 'fc1', positions: 1 },
};

/** The parameters of the cut model at their places in the large one, zero elsewhere: what a mask would leave. */
export async function maskedParams(large: Tree, small: Tree, kept: KeptUnits): Promise<Tree> {
  const cut = new Map(treeEntries(small));
  const units = new Map(
    treeEntries(large).map(([path, leaf]) => [path.split('.')[0]!, (leaf as tf.Tensor).shape.at(-1)!]),
  );
  const leaves = await Promise.all(
    treeEntries(large).map(async ([path, leaf]) => {
      const { shape } = leaf as tf.Tensor;
      const [layer, name] = path.split('.') as [string, string];
      const values = await cut.get(path)!.data();
      const out = new Float32Array(shape.reduce((product, size) => product * size, 1));
      const columns = kept[layer] ?? Array.from({ length: shape.at(-1)! }, (_, i) => i);
      const feed = feeds[layer];
      const before = feed === undefined ? undefined : kept[feed.from];
      const inputs = name === 'weight' ? shape.at(-2)! : 1;
      const rows =
        name !== 'weight' || before === undefined
          ? Array.from({ length: inputs }, (_, i) => i)
          : Array.from({ length: feed!.positions }, (_, at) =>
              before.map((unit) => at * units.get(feed!.from)! + unit),
            ).flat();
      const windows = name === 'weight' ? out.length / (inputs * shape.at(-1)!) : 1;
      let i = 0;
      for (let window = 0; window < windows; window++) {
        for (const row of rows) {
          for (const column of columns) out[(window * inputs + row) * shape.at(-1)! + column] = values[i++]!;
        }
      }
      return tf.tensor(out, shape);
    }),
  );
  return treeUnflatten(large, leaves);
}
