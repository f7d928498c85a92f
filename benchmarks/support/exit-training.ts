// How the networks with exits of the benchmark and of the claims are trained.
import { adamw, cosine, mapBatches, softmaxCrossEntropy, train } from '@frugal/core-trainer';
import { type ExitModel, type ExitParams, exitLoss } from '@frugal/early-exit';
import { type Dataset, foldIn, type Key, key, type Labelled, type LossFunction, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { shifted } from './exit-lenet.ts';

export type Params = ExitParams<never> & Tree;

/** One stretch of training under one loss. */
export interface Phase<P extends Tree> {
  readonly loss: LossFunction<P, Labelled>;
  readonly data: Dataset<Labelled>;
  readonly steps: number;
  /** The largest learning rate. */
  readonly peak: number;
  /** Pixels by which a batch is moved at most. */
  readonly reach: number;
  readonly key: Key;
  /** Where to go on from; freed. */
  readonly from?: P | undefined;
  /** Called after every epoch. */
  readonly watch?: ((params: P) => Promise<void>) | undefined;
}

/** AdamW under a cosine. */
export async function phase<P extends Tree>(model: { init(key: Key): P }, options: Phase<P>): Promise<P> {
  const { loss, data, steps, peak, reach, from, watch } = options;
  const run = train<P, Labelled>({
    ...{ model, loss, steps, key: options.key, ...(from && { params: from }) },
    data: mapBatches(data, (batch, draw) => shifted(batch, draw, reach)),
    optimizer: adamw(cosine(peak, { warmup: Math.min(200, Math.floor(steps / 2)), steps }), { weightDecay: 0.02 }),
    ...(watch && {
      evaluate: async (params: P) => {
        await watch(params);
        return {};
      },
    }),
  });
  const { params, optimizer, state } = await run.result;
  tf.dispose([optimizer, state, ...(from ? [from] : [])] as tf.TensorContainer);
  return params;
}

/** A regime of training (arXiv 2407.14320): which loss for how many steps. */
export type Regime = readonly (readonly ['backbone' | 'joint' | 'disjoint', steps: number])[];

/** What `teach` shares between its phases. */
export interface TeachOptions {
  readonly data: Dataset<Labelled>;
  readonly peak: number;
  readonly key: Key;
  /** Of the losses of the exits, the final one last. Default 1 each. */
  readonly weights?: readonly number[];
  readonly watch?: (params: Params) => Promise<void>;
}

/** Trains a model with exits through the phases of a regime; batches move by up to two pixels. */
export async function teach(model: ExitModel, regime: Regime, options: TeachOptions): Promise<Params> {
  const { weights } = options;
  let params: Params | undefined;
  for (const [i, [kind, steps]] of regime.entries()) {
    const loss = exitLoss(model, softmaxCrossEntropy, { regime: kind, ...(weights && { weights }) });
    const all = { init: (k: Key): Params => model.init(k) as Params };
    params = await phase(all, { ...options, loss, steps, reach: 2, key: foldIn(options.key, i + 1), from: params });
  }
  return params!;
}

/** The share of right answers of each output. */
export async function accuracies(
  outputs: (x: tf.Tensor) => tf.Tensor[],
  set: Dataset<Labelled>,
): Promise<readonly number[]> {
  const right: number[] = [];
  for await (const { x, y } of set.batches({ key: key(0), epoch: 0 })) {
    const counts = tf.tidy(() => outputs(x).map((z) => tf.sum(tf.cast(tf.equal(tf.argMax(z, 1), y), 'int32'))));
    for (const [i, count] of counts.entries()) right[i] = (right[i] ?? 0) + (await count.data())[0]!;
    tf.dispose([counts, x, y]);
  }
  return right.map((count) => count / set.size);
}

/** Shares as percentages. */
export function percentages(shares: readonly number[]): string {
  return shares.map((share) => `${(100 * share).toFixed(2)} %`).join(', ');
}

/** Prints with the minutes since the start. */
export function clock(): (text: string) => void {
  const start = performance.now();
  return (text) => console.log(`${((performance.now() - start) / 60_000).toFixed(1)} min: ${text}`);
}
