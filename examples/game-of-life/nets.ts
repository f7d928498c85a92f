import { glorotUniform } from '@frugal/nn';
import { foldIn, gatherRows, type Key } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type BoardBatch, neighbourRows, WINDOWS } from './boards.ts';

/** So many nets of one shape. */
export interface Family {
  /** Steps of the game that they foresee, n ≥ 1: 2n + 1 layers. */
  readonly steps: number;
  /** How many times more units than needed, m ≥ 1; one needs 23n + 2 parameters. */
  readonly times: number;
  readonly nets: number;
}

/** Weights [nets, in, out] and biases [nets, 1, out] of one layer of all nets. */
export type LayerOfNets = { readonly weight: tf.Tensor3D; readonly bias: tf.Tensor3D };

/** A 3×3 and a 1×1 convolution for each step, then one more 1×1. */
export type Nets = {
  readonly see: readonly LayerOfNets[];
  readonly decide: readonly LayerOfNets[];
  readonly say: LayerOfNets;
};

/** Fresh nets: each layer by Glorot, biases zero. */
export function initNets({ steps, times, nets }: Family, key: Key): Nets {
  const glorot = glorotUniform();
  const layer = (part: number, step: number, inputs: number, outputs: number, window: number): LayerOfNets => ({
    // Fans as those of the convolution: its window counts on both sides.
    weight: glorot(foldIn(foldIn(key, part), step), [nets, inputs * window, outputs], {
      fanIn: inputs * window,
      fanOut: outputs * window,
    }) as tf.Tensor3D,
    bias: tf.zeros([nets, 1, outputs]),
  });
  const all = Array.from({ length: steps }, (_, i) => i);
  return {
    see: all.map((step) => layer(0, step, step === 0 ? 1 : times, 2 * times, 9)),
    decide: all.map((step) => layer(1, step, 2 * times, times, 1)),
    say: layer(2, 0, times, 1, 1),
  };
}

function dense(x: tf.Tensor, { weight, bias }: LayerOfNets): tf.Tensor {
  return tf.add(tf.matMul(x, weight), bias);
}

/**
 * Logits of all nets at once.
 *
 * A first 3×3 convolution can only see one of 512 windows: its outputs are computed once for each window and net, and looked up for
 * the cells of the boards. Nets that foresee one step need no boards at all: [nets, 512]. Others give [nets, cells].
 */
export function logitsOf(nets: Nets, windows: tf.Tensor, batch?: BoardBatch): tf.Tensor {
  return tf.tidy(() => {
    const count = nets.say.weight.shape[0];
    let h: tf.Tensor = windows;
    for (const [step, see] of nets.see.entries()) {
      if (step > 0) {
        if (batch === undefined) throw new Error('Nets that foresee several steps need boards.');
        const width = h.shape[2]!;
        const rows = gatherRows(tf.reshape(h, [-1, width]), neighbourRows(batch, step === 1));
        h = tf.reshape(rows, [count, batch.cells, 9 * width]);
      }
      h = tf.relu(dense(tf.relu(dense(h, see)), nets.decide[step]!));
    }
    const y = dense(h, nets.say);
    return tf.reshape(y, [count, y.shape[1]!]);
  });
}

/** How often each net saw each window, as shares: [nets, 512]. */
export function windowShares({ nets, cells, seen }: BoardBatch): tf.Tensor2D {
  const shares = new Float32Array(nets * WINDOWS);
  for (let net = 0, i = 0; net < nets; net++) {
    for (let cell = 0; cell < cells; cell++, i++) shares[net * WINDOWS + seen[i]!]! += 1 / cells;
  }
  return tf.tensor2d(shares, [nets, WINDOWS]);
}
