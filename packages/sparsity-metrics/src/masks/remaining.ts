import { FrugalError } from '@frugal/tensor';

/** A layer as the remaining work sees it. */
export interface LayerWork {
  /** FLOPs of the dense layer. */
  readonly flops: number;
  /** Share of weights that are left, in [0, 1]. */
  readonly weightDensity: number;
  /** Share of the layer's input that is not zero, in [0, 1]. Default 1. */
  readonly inputDensity?: number;
}

/** What is left of the work, as shares of the dense layers'. */
export interface RemainingWork {
  readonly layers: readonly number[];
  /** Of all layers together. */
  readonly total: number;
}

/**
 * The share of multiplications whose weight and input are both not zero: weight density × input density per layer, as in
 * the tables of Han et al. (arXiv 1506.02626).
 *
 * What an ideal sparse kernel would need, no measured saving: for that compact the model and meter it.
 *
 * @throws {FrugalError} `BAD_ARGUMENT` for a density outside [0, 1].
 */
export function remainingWork(layers: readonly LayerWork[]): RemainingWork {
  const shares = layers.map(({ weightDensity, inputDensity = 1 }, i) => {
    for (const density of [weightDensity, inputDensity]) {
      if (!(density >= 0 && density <= 1)) {
        throw new FrugalError(
          'BAD_ARGUMENT',
          `remainingWork: densities of layer ${i} must be in [0, 1], got ${density}.`,
        );
      }
    }
    return weightDensity * inputDensity;
  });
  const dense = layers.reduce((sum, { flops }) => sum + flops, 0);
  const left = layers.reduce((sum, { flops }, i) => sum + flops * shares[i]!, 0);
  return { layers: shares, total: left / dense };
}
