import { foldIn, type Key, randomNormal, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from './check.ts';
import {
  type Dispatch,
  type GatedExpertsParams,
  gatedExperts,
  type PlainExpertsParams,
  plainExperts,
} from './sparse-experts.ts';

/** What an expert is: two layers around an activation, or a gated unit (arXiv 2002.05202). */
export type ExpertKind = 'relu' | 'gelu' | 'reglu' | 'geglu' | 'swiglu';

/** Parameters of stacked experts. */
export type ExpertsParams = PlainExpertsParams | GatedExpertsParams;

/** Experts of equal width over rows of width `dim`; each row goes through those that a dispatch gives it. */
export interface Experts<P extends Tree = ExpertsParams> {
  readonly kind: ExpertKind;
  readonly count: number;
  readonly dim: number;
  /** Width of the output. */
  readonly out: number;
  init(key: Key): P;
  /**
   * Σ gate · expert(x) over the pairs of `dispatch`: [tokens, dim] → [tokens, out].
   *
   * Gates: a tensor [pairs, 1] (differentiable), numbers from the host (constants), or none: all 1.
   */
  apply(params: P, x: tf.Tensor, dispatch: Dispatch, gates?: Float32Array | tf.Tensor): tf.Tensor;
  /** FLOPs of one expert for one token, as the meter counts them, without adding it to the token. */
  readonly flopsPerPair: number;
}

const halves = { reglu: 'relu', geglu: 'gelu', swiglu: 'silu' } as const;
/** FLOPs per number: gelu 9 (tanh form), silu a sigmoid 4 and a product. */
const activationFlops = { relu: 1, gelu: 9, silu: 5 } as const;

/** He (relu, gelu) or LeCun (gated) normal first layers, LeCun second ones. */
function weights(key: Key, shape: [number, number, number], gain: number): tf.Tensor3D {
  return tf.tidy(() => tf.mul(randomNormal(key, shape), Math.sqrt(gain / shape[1]))) as tf.Tensor3D;
}

/**
 * `count` experts dim → hidden → out.
 *
 * @throws {FrugalError} `INVALID_ARGUMENT`.
 */
export function stackedExperts(
  count: number,
  dim: number,
  hidden: number,
  kind: ExpertKind,
  out: number = dim,
): Experts {
  checkNumber('experts', count, { min: 1, integer: true });
  checkNumber('dim', dim, { min: 1, integer: true });
  checkNumber('hidden', hidden, { min: 1, integer: true });
  checkNumber('out', out, { min: 1, integer: true });
  if (kind === 'relu' || kind === 'gelu') {
    return {
      kind,
      count,
      dim,
      out,
      init: (key) => ({
        w1: weights(foldIn(key, 0), [count, dim, hidden], 2),
        b1: tf.zeros([count, hidden]),
        w2: weights(foldIn(key, 1), [count, hidden, out], 1),
        b2: tf.zeros([count, out]),
      }),
      apply: (params, x, dispatch, gates) => plainExperts(x, params as PlainExpertsParams, dispatch, kind, gates),
      flopsPerPair: hidden * (2 * dim + 1 + activationFlops[kind]) + out * (2 * hidden + 1),
    };
  }
  const activation = halves[kind];
  return {
    kind,
    count,
    dim,
    out,
    init: (key) => ({
      w1: weights(foldIn(key, 0), [count, dim, hidden], 1),
      w2: weights(foldIn(key, 1), [count, hidden, out], 1),
      w3: weights(foldIn(key, 2), [count, dim, hidden], 1),
    }),
    apply: (params, x, dispatch, gates) => gatedExperts(x, params as GatedExpertsParams, dispatch, activation, gates),
    flopsPerPair: hidden * (4 * dim + 1 + activationFlops[activation]) + 2 * hidden * out,
  };
}
