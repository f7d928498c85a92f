import { type Event, type Module, type Tree, treeDispose } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../errors.ts';
import { read } from '../scene.ts';
import { isDue, type TrackedRun, type Tracker } from './hook.ts';

/** Rows of examples, whatever their shape, less their mean. */
function centred(x: tf.Tensor): tf.Tensor2D {
  const rows = tf.reshape(x, [x.shape[0]!, -1]);
  return tf.sub(rows, tf.mean(rows, 0, true)) as tf.Tensor2D;
}

/**
 * Linear centred kernel alignment of two representations of the same examples (arXiv 1905.00414): 1 where one is a rotation
 * and scaling of the other.
 *
 * @param a [N, …]; @param b [N, …]
 */
export async function cka(a: tf.Tensor, b: tf.Tensor): Promise<number> {
  return read(
    tf.tidy(() => {
      const [x, y] = [centred(a), centred(b)];
      const [k, l] = [tf.matMul(x, x, false, true), tf.matMul(y, y, false, true)];
      return tf.div(tf.sum(tf.mul(k, l)), tf.mul(tf.norm(k), tf.norm(l)));
    }),
  );
}

/**
 * How well a linear reading of a representation tells classes: ridge regression on one-hot targets by conjugate gradients on
 * the first half of the examples, accuracy on the second.
 *
 * @param features [N, …]
 * @param labels int32 [N] in [0, classes)
 */
export async function linearProbe(
  features: tf.Tensor,
  labels: tf.Tensor,
  { classes, ridge = 1e-2, iterations = 50 }: { classes: number; ridge?: number; iterations?: number },
): Promise<number> {
  checkNumber('classes', classes, { min: 2, integer: true });
  return read(
    tf.tidy(() => {
      const rows = centred(features);
      const [n, width] = rows.shape;
      const half = Math.floor(n / 2);
      const scale = tf.add(tf.sqrt(tf.mean(tf.square(rows))), 1e-12);
      const x = tf.div(rows, scale) as tf.Tensor2D;
      const targets = tf.sub(tf.cast(tf.oneHot(labels as tf.Tensor1D, classes), 'float32'), 1 / classes);
      const [xTrain, xTest] = tf.split(x, [half, n - half]) as [tf.Tensor2D, tf.Tensor2D];
      const yTrain = tf.slice(targets, [0, 0], [half, classes]) as tf.Tensor2D;
      const normal = (w: tf.Tensor): tf.Tensor =>
        tf.add(tf.div(tf.matMul(xTrain, tf.matMul(xTrain, w as tf.Tensor2D), true), half), tf.mul(w, ridge));
      let w: tf.Tensor = tf.zeros([width, classes]);
      let r: tf.Tensor = tf.div(tf.matMul(xTrain, yTrain, true), half);
      let p = r;
      let square = tf.sum(tf.square(r), 0, true);
      for (let i = 0; i < iterations; i++) {
        const bent = normal(p);
        const step = tf.divNoNan(square, tf.sum(tf.mul(p, bent), 0, true));
        w = tf.add(w, tf.mul(p, step));
        r = tf.sub(r, tf.mul(bent, step));
        const next = tf.sum(tf.square(r), 0, true);
        p = tf.add(r, tf.mul(p, tf.divNoNan(next, square)));
        square = next;
      }
      const said = tf.argMax(tf.matMul(xTest, w as tf.Tensor2D), 1);
      return tf.mean(tf.cast(tf.equal(said, tf.slice(labels, [half], [n - half])), 'float32'));
    }),
  );
}

/** What a layer represents at a step. */
export interface RepresentationPoint {
  readonly step: number;
  readonly layer: string;
  /** CKA with the same layer at the first look. */
  readonly withFirst: number;
  /** CKA with the same layer at the last look. */
  readonly withLast: number;
  /** Accuracy of a linear probe, where there are labels. */
  readonly accuracy: number | undefined;
}

/** Options of `trackRepresentations`. */
export interface TrackRepresentationsOptions {
  /** What the layers are shown; stays the caller's. */
  readonly inputs: tf.Tensor;
  /** int32 [N], for linear probes. */
  readonly labels?: tf.Tensor;
  readonly classes?: number;
  /** Default 50. */
  readonly every?: number;
}

/** Follows what the layers of a module say about some examples: CKA between steps, and what a linear probe reads. */
export function trackRepresentations<P extends Tree>(
  module: Pick<Module<P>, 'apply'>,
  { inputs, labels, classes = 10, every = 50 }: TrackRepresentationsOptions,
): Tracker & { readonly points: readonly RepresentationPoint[]; dispose(): void } {
  checkNumber('every', every, { min: 1, integer: true });
  const points: RepresentationPoint[] = [];
  let [first, last] = [new Map<string, tf.Tensor>(), new Map<string, tf.Tensor>()];
  return {
    name: 'representations',
    points,
    async onEvent(event: Event, run: TrackedRun) {
      if (!isDue(event, every)) return;
      const now = new Map<string, tf.Tensor>();
      const taps = { set: (path: string, output: tf.Tensor) => void now.set(path, tf.keep(output.clone())) };
      tf.tidy(() => void module.apply(run.params as P, inputs, { train: false, taps }));
      for (const [layer, output] of now) {
        points.push({
          step: event.step,
          layer,
          withFirst: await cka(output, first.get(layer) ?? output),
          withLast: await cka(output, last.get(layer) ?? output),
          accuracy: labels === undefined ? undefined : await linearProbe(output, labels, { classes }),
        });
      }
      if (first.size === 0) first = new Map([...now].map(([layer, output]) => [layer, output.clone()]));
      tf.dispose([...last.values()]);
      last = now;
    },
    dispose() {
      tf.dispose([...first.values(), ...last.values()]);
      [first, last] = [new Map(), new Map()];
    },
  };
}

/**
 * How much the start decides: the same short training from several initialisations.
 *
 * @param train Trains from a start and returns the final loss; the start is freed afterwards.
 * @returns Mean and standard deviation of the final losses.
 */
export async function initialisationSpread<P extends Tree>(
  starts: Iterable<P>,
  train: (start: P) => Promise<number>,
): Promise<{ readonly mean: number; readonly deviation: number; readonly losses: readonly number[] }> {
  const losses: number[] = [];
  for (const start of starts) {
    try {
      losses.push(await train(start));
    } finally {
      treeDispose(start);
    }
  }
  checkNumber('the number of starts', losses.length, { min: 2 });
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const squares = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (losses.length - 1)), losses };
}
