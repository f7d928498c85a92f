import { keepPruned, type Masks } from '@frugal/sparsity-metrics';
import { foldIn, type Key, treeDispose } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { rule, windows } from './boards.ts';
import { type Family, logitsOf, type Nets } from './nets.ts';
import { crossEntropy, type Lesson, teach } from './teach.ts';

/** Which units of each net are left, by layer: 1 or 0, [nets, units]. */
type Alive = { readonly see: Uint8Array; readonly decide: Uint8Array };

/** How nets that foresee one step are cut to the smallest size. */
export interface Shrink {
  /** Updates after each round. */
  readonly updates: number;
  readonly lesson: Omit<Lesson, 'updates' | 'key' | 'optimizer'>;
  readonly key: Key;
}

/**
 * Cuts nets of `family` down to as many units as needed, in `times − 1` rounds with learning between.
 *
 * A round takes from each net two units of the first layer and one of the second: those that it misses least, by the loss over all windows
 * with the unit gone.
 *
 * @param nets Donated.
 * @returns Nets of the same shape with two and one units left, the others zero.
 */
export async function shrink(family: Family, nets: Nets, { updates, lesson, key }: Shrink): Promise<Nets> {
  const { times, nets: count } = family;
  const alive: Alive = {
    see: new Uint8Array(count * 2 * times).fill(1),
    decide: new Uint8Array(count * times).fill(1),
  };
  let now = nets;
  for (let round = 1; round < times; round++) {
    for (const layer of ['see', 'see', 'decide'] as const) await cutOne(family, now, alive, layer);
    const masks = masksOf(family, alive);
    const optimizer: NonNullable<Lesson['optimizer']> = (plain) => keepPruned(plain, masks);
    now = await teach(family, now, { ...lesson, updates, key: foldIn(key, round), optimizer });
    treeDispose(masks);
  }
  return now;
}

/** Takes from each net the unit of a layer whose loss is smallest. */
async function cutOne(family: Family, nets: Nets, alive: Alive, layer: 'see' | 'decide'): Promise<void> {
  const { nets: count, times } = family;
  const units = layer === 'see' ? 2 * times : times;
  const all = windows();
  const answers = tf.tensor1d(rule());
  const best = new Float32Array(count).fill(Number.POSITIVE_INFINITY);
  const choice = new Int32Array(count);
  for (let unit = 0; unit < units; unit++) {
    const tried: Alive = { see: alive.see.slice(), decide: alive.decide.slice() };
    for (let net = 0; net < count; net++) tried[layer][net * units + unit] = 0;
    const masks = masksOf(family, tried);
    const losses = tf.tidy(() => tf.sum(crossEntropy(logitsOf(cut(nets, masks), all), answers), 1));
    const values = await losses.data();
    for (let net = 0; net < count; net++) {
      if (alive[layer][net * units + unit] === 0 || values[net]! >= best[net]!) continue;
      best[net] = values[net]!;
      choice[net] = unit;
    }
    treeDispose([masks, losses]);
  }
  for (let net = 0; net < count; net++) alive[layer][net * units + choice[net]!] = 0;
  tf.dispose([all, answers]);
}

/** The nets with what is cut at zero. */
function cut(nets: Nets, masks: Masks): Nets {
  const at = (part: string, layer: Nets['say']): Nets['say'] => ({
    weight: masks[`${part}.weight`] === undefined ? layer.weight : tf.mul(layer.weight, masks[`${part}.weight`]!),
    bias: masks[`${part}.bias`] === undefined ? layer.bias : tf.mul(layer.bias, masks[`${part}.bias`]!),
  });
  return { see: [at('see.0', nets.see[0]!)], decide: [at('decide.0', nets.decide[0]!)], say: at('say', nets.say) };
}

/** Masks that hold units at zero, and what leads out of them. */
function masksOf({ nets, times }: Family, { see, decide }: Alive): Masks {
  return tf.tidy(() => {
    const first = tf.tensor3d(Float32Array.from(see), [nets, 1, 2 * times]);
    const second = tf.tensor3d(Float32Array.from(decide), [nets, 1, times]);
    return {
      'see.0.weight': tf.tile(first, [1, 9, 1]),
      'see.0.bias': tf.clone(first),
      'decide.0.weight': tf.mul(tf.transpose(first, [0, 2, 1]), second) as tf.Tensor,
      'decide.0.bias': tf.clone(second),
      'say.weight': tf.transpose(second, [0, 2, 1]),
    };
  });
}
