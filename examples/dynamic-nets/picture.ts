import { percent } from '@frugal/example-support';
import { type Dataset, key, type Labelled } from '@frugal/tensor';
import { imageMapText } from '@frugal/token-boost';
import * as tf from '@tensorflow/tfjs-core';
import { SIZES, TOKENS } from './recipe.ts';

/** What one way spent on each image, and on each patch of it. */
export interface WaySeen {
  readonly name: string;
  /** FLOPs per image. */
  readonly cost: readonly number[];
  /** Per patch, [images · tokens] in [0, 1]. */
  readonly shares: readonly number[];
}

/** How many of some values lie in each tenth of [0, 1], as a row of bars. */
export function sparkline(values: readonly number[]): string {
  const counts = new Array<number>(10).fill(0);
  for (const value of values) counts[Math.min(9, Math.max(0, Math.floor(10 * value)))]!++;
  const most = Math.max(...counts);
  return counts.map((count) => (count === 0 ? '·' : '▁▂▃▄▅▆▇█'[Math.ceil((8 * count) / most) - 1]!)).join('');
}

/** The image that got least in the mean of the ways and the one that got most, with what each way spent on their patches. */
export async function extremes(
  test: Dataset<Labelled>,
  ways: readonly WaySeen[],
  flops: number,
  colour: boolean,
): Promise<string> {
  const pixels = await grey(test);
  const each = Array.from({ length: test.size }, (_, i) => ways.reduce((sum, { cost }) => sum + cost[i]!, 0));
  const order = [...each.keys()].sort((a, b) => each[a]! - each[b]!);
  const pictures = (
    [
      ['least', order[0]!],
      ['most', order.at(-1)!],
    ] as const
  ).map(([what, i]) => {
    const maps = ways.map(({ name, cost, shares }) => {
      const title = `${name}: ${percent(cost[i]! / flops)}`;
      const map = {
        pixels: pixels.subarray(784 * i, 784 * (i + 1)),
        width: 28,
        patch: SIZES.patch,
        shares: shares.slice(TOKENS * i, TOKENS * (i + 1)),
      };
      return [title.padEnd(28), ...imageMapText(map, { colour }).split('\n')];
    });
    const lines = maps[0]!.map((_, row) => maps.map((map) => map[row]).join('   '));
    return `\nThe image that got ${what}:\n${lines.join('\n')}`;
  });
  const legend = colour
    ? 'A lighter patch got more.'
    : 'Digits: tenths of the blocks, experts or learners that a patch got.';
  return `${pictures.join('\n')}\n${legend}`;
}

/** All images, from 0 to 1. */
async function grey(data: Dataset<Labelled>): Promise<Float32Array> {
  const all = new Float32Array(784 * data.size);
  let from = 0;
  for await (const { x, y } of data.batches({ key: key(0), epoch: 0 })) {
    all.set(await x.data(), from);
    from += x.size;
    tf.dispose([x, y]);
  }
  let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of all) [least, most] = [Math.min(least, value), Math.max(most, value)];
  return all.map((value) => (value - least) / (most - least));
}
