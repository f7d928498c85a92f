import {
  gatherRows,
  gelu,
  geluGrad,
  reluGrad,
  scatterAddRows,
  segmentMatMul,
  segmentMatMulWeightGrad,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Which rows go through which expert: the part of a plan that the experts need. */
export interface Dispatch {
  readonly tokens: number;
  /** The token of each pair; without them pair i is token i. */
  readonly rows?: Int32Array;
  readonly ends: readonly number[];
}

/** Two-layer experts, stacked: `w1` [experts, dim, hidden], `b1` [experts, hidden], `w2` [experts, hidden, dim], `b2` [experts, dim]. */
export type PlainExpertsParams = {
  readonly w1: tf.Tensor3D;
  readonly b1: tf.Tensor2D;
  readonly w2: tf.Tensor3D;
  readonly b2: tf.Tensor2D;
};

/** Gated experts, stacked: y = (act(x·w1) ⊙ x·w3)·w2; `w1`, `w3` [experts, dim, hidden], `w2` [experts, hidden, dim]. */
export type GatedExpertsParams = { readonly w1: tf.Tensor3D; readonly w2: tf.Tensor3D; readonly w3: tf.Tensor3D };

type Column = Float32Array | tf.Tensor | undefined;

/**
 * Σ gate · (act(x·w1 + b1)·w2 + b2) over the pairs of a dispatch, back in the order of the tokens: [tokens, dim].
 *
 * With gates as a tensor [pairs, 1] (or none: all 1) it is one operation with a gradient written by hand, in `x`, the
 * gates and the parameters; with gates from the host it is for inference only, and a pass over the pairs cheaper.
 */
export function plainExperts(
  x: tf.Tensor,
  params: PlainExpertsParams,
  dispatch: Dispatch,
  activation: 'relu' | 'gelu',
  gates: Column,
): tf.Tensor {
  const { tokens, rows, ends } = dispatch;
  const { w1, b1, w2, b2 } = params;
  const column = gates instanceof tf.Tensor ? gates : undefined;
  const fixed = gates instanceof tf.Tensor ? undefined : gates;
  if (column === undefined && !tf.engine().isTapeOn()) {
    return tf.tidy(() => {
      const hidden = segmentMatMul({ x: taken(x, rows), w: w1, bias: b1 }, { ends, activation });
      return combine(segmentMatMul({ x: hidden, w: w2, bias: b2 }, { ends }), dispatch, fixed);
    });
  }
  const open = (before: tf.Tensor): tf.Tensor => (activation === 'relu' ? before : gelu(before));
  const operation = tf.customGrad((...all) => {
    const save = all.pop() as unknown as tf.GradSaveFunc;
    const [x, w1, b1, w2, b2, gate] = all as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor?];
    const input = taken(x, rows);
    // gelu' needs what the activation gets; relu' is seen in what it gives.
    const before = segmentMatMul(
      { x: input, w: w1, bias: b1 },
      { ends, activation: activation === 'relu' ? 'relu' : 'linear' },
    );
    const output = segmentMatMul({ x: open(before), w: w2, bias: b2 }, { ends });
    save([input, before, w1, w2, ...(gate === undefined ? [] : [gate, output])]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [input, before, w1, w2, gate, output] = saved as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor?,
        tf.Tensor?,
      ];
      const dValue = taken(dy, rows);
      const dOutput = gate === undefined ? scaled(dValue, fixed) : tf.mul(dValue, gate);
      const dHidden = segmentMatMul({ x: dOutput, w: w2 }, { ends, transposeW: true });
      const dBefore =
        activation === 'relu' ? reluGrad({ dy: dHidden, y: before }) : geluGrad({ x: before, dy: dHidden });
      const dInput = segmentMatMul({ x: dBefore, w: w1 }, { ends, transposeW: true });
      return [
        rows === undefined
          ? dInput
          : scatterAddRows({ into: tf.fill([tokens, input.shape[1]!], 0), x: dInput }, { rows }),
        segmentMatMulWeightGrad({ x: input, dy: dBefore }, ends),
        rowSums(dBefore, ends),
        segmentMatMulWeightGrad({ x: open(before), dy: dOutput }, ends),
        rowSums(dOutput, ends),
        ...(output === undefined ? [] : [tf.sum(tf.mul(dValue, output), 1, true)]),
      ];
    };
    return { value: combine(output, dispatch, gate ?? fixed), gradFunc };
  });
  return operation(x, w1, b1, w2, b2, ...(column === undefined ? [] : [column]));
}

/** The same for gated experts, out of operations that know their gradients. */
export function gatedExperts(
  x: tf.Tensor,
  { w1, w2, w3 }: GatedExpertsParams,
  dispatch: Dispatch,
  activation: 'relu' | 'gelu' | 'silu',
  gates: Column,
): tf.Tensor {
  const { rows, ends } = dispatch;
  return tf.tidy(() => {
    const input = taken(x, rows);
    const first = segmentMatMul({ x: input, w: w1 }, activation === 'silu' ? { ends } : { ends, activation });
    const opened = activation === 'silu' ? tf.mul(first, tf.sigmoid(first)) : first;
    const hidden = tf.mul(opened, segmentMatMul({ x: input, w: w3 }, { ends }));
    return combine(segmentMatMul({ x: hidden, w: w2 }, { ends }), dispatch, gates);
  });
}

function taken(x: tf.Tensor, rows: Int32Array | undefined): tf.Tensor {
  return rows === undefined ? x : gatherRows(x, rows);
}

/** Adds the outputs of the pairs, times their gates, to their tokens. */
export function combine(output: tf.Tensor, { tokens, rows }: Dispatch, gates: Column): tf.Tensor {
  if (rows === undefined) return scaled(output, gates);
  // Not tf.zeros, which copies an array of the host.
  const into = tf.fill([tokens, output.shape[1]!], 0);
  if (gates instanceof Float32Array) return scatterAddRows({ into, x: output }, { rows, scale: gates });
  return scatterAddRows({ into, x: gates === undefined ? output : tf.mul(output, gates) }, { rows });
}

function scaled(x: tf.Tensor, factors: Column): tf.Tensor {
  if (factors === undefined) return x;
  return tf.mul(x, factors instanceof tf.Tensor ? factors : tf.tensor2d(factors, [factors.length, 1]));
}

/** Sums of the rows of each expert [experts, columns]. */
function rowSums(x: tf.Tensor, ends: readonly number[]): tf.Tensor {
  const [pairs, columns] = x.shape as [number, number];
  return tf.reshape(segmentMatMulWeightGrad({ x: tf.fill([pairs, 1], 1), dy: x }, ends), [ends.length, columns]);
}
