import type { Tensor } from '@tensorflow/tfjs-core';

/** `FrugalRandomBits` (int32), `…Uniform` in [0, 1), `…Normal`, `…Signs` ±1: no inputs, one output. See docs/random.md. */
export type RandomAttrs = {
  /** Key words. */
  hi: number;
  lo: number;
  /** Index of the first element in the key's stream. */
  offset: number;
  shape: number[];
};

/** `FrugalAddNoise`: p + scale · noise(key), without a buffer for the noise. `p` is donated. */
export type AddNoiseInputs = { p: Tensor };
export type AddNoiseAttrs = { hi: number; lo: number; offset: number; scale: number; noise: 'normal' | 'signs' };

/**
 * Optimizer steps over a whole tree. Inputs are one array: all parameters, then all gradients, then each slot for all
 * parameters. Outputs: all new parameters, then the new slots in the same order. Parameters and slots are donated.
 *
 * | kernel | slots | update |
 * | --- | --- | --- |
 * | `FrugalSgdStep` | – | p ← p − lr·(g·gradScale + decay·p) |
 * | `FrugalMomentumStep` | m | d = g·gradScale + decay·p; m ← beta·m + d; p ← p − lr·(nesterov ? d + beta·m : m) |
 * | `FrugalAdamStep` | m, v | m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; p ← p − lr·(m̂ / (√v̂ + ε) + decay·p), bias-corrected by `step` |
 * | `FrugalLionStep` | m | p ← p − lr·(sign(β₁m + (1−β₁)g) + decay·p); m ← β₂m + (1−β₂)g |
 *
 * `g` is the gradient times `gradScale` everywhere. `decays[i]` is the weight decay of parameter i (0: none).
 */
export type StepInputs = Tensor[];
export type SgdStepAttrs = { count: number; learningRate: number; gradScale: number; decays: number[] };
export type MomentumStepAttrs = SgdStepAttrs & { beta: number; nesterov: boolean };
/** `step` counts from 1. `epsilon` is added outside of the root. */
export type AdamStepAttrs = SgdStepAttrs & { beta1: number; beta2: number; epsilon: number; step: number };
export type LionStepAttrs = SgdStepAttrs & { beta1: number; beta2: number };

/**
 * `FrugalMatMulTangent`: y = op(a)·op(b) [+ bias] and ẏ = op(ȧ)·op(b) + op(a)·op(ḃ) [+ bias tangent] together.
 *
 * `a` [M, K], `b` [K, N] before transposition. A missing tangent is zero. Outputs: [y, ẏ].
 */
export type MatMulTangentInputs = { a: Tensor; b: Tensor; da?: Tensor; db?: Tensor; bias?: Tensor; dbias?: Tensor };
export type MatMulTangentAttrs = { transposeA: boolean; transposeB: boolean };

/** `FrugalMatMulAccumulate`: c + alpha · op(a)·op(b). `c` [M, N] is donated. */
export type MatMulAccumulateInputs = { c: Tensor; a: Tensor; b: Tensor };
export type MatMulAccumulateAttrs = { transposeA: boolean; transposeB: boolean; alpha: number };

/**
 * `FrugalMatMulSigns`: a·S (+ into) (+ bias), S the ±1 matrix [K, `columns`] of a key as a packing makes it (docs/random.md,
 * domain 3), never stored. `a` [M, K], `bias` [N]; `into` [M, N] is donated.
 */
export type MatMulSignsInputs = { a: Tensor; into?: Tensor; bias?: Tensor };
export type MatMulSignsAttrs = { hi: number; lo: number; columns: number };

/** `FrugalAddSigns`: p + factor · scale · S, S as above, in the shape of `p` [K, N], which is donated; `scale` a scalar. */
export type AddSignsInputs = { p: Tensor; scale?: Tensor };
export type AddSignsAttrs = { hi: number; lo: number; factor: number };

/**
 * `FrugalSegmentMatMul`: rows sorted by segment, one matrix per segment: y[i] = x[i]·op(w[s(i)]) (+ bias[s(i)]).
 *
 * `x` [T, K], `w` [S, K, N] ([S, N, K] with `transposeW`), `bias` [S, N]. `ends[s]` is the row after segment s, so
 * `ends` never decreases and ends at T. The matrices of empty segments are not read.
 */
export type SegmentMatMulInputs = { x: Tensor; w: Tensor; bias?: Tensor };
export type SegmentMatMulAttrs = { ends: number[]; transposeW: boolean; activation: 'linear' | 'relu' | 'gelu' };

/** `FrugalSegmentMatMulWeightGrad`: per segment x[s]ᵀ·dy[s]: `x` [T, K], `dy` [T, N] → [S, K, N]; zero where empty. */
export type SegmentMatMulWeightGradInputs = { x: Tensor; dy: Tensor };
export type SegmentMatMulWeightGradAttrs = { ends: number[] };

/**
 * `FrugalCountAbove`: how many magnitudes of […, C] are above a threshold, NaN included: by row, int32 [R], and by column,
 * int32 [C].
 */
export type CountAboveInputs = { x: Tensor };
export type CountAboveAttrs = { threshold: number };

/** `FrugalGatherRows`: y[i] = x[rows[i]] over the first axis; `rows` is known on the host. Throws outside [0, N). */
export type GatherRowsInputs = { x: Tensor };
export type GatherRowsAttrs = { rows: Int32Array };

/** `FrugalScatterAddRows`: into[rows[i]] += scale[i]·x[i] (scale 1 where missing); repeated rows add up. `into` is donated. */
export type ScatterAddRowsInputs = { into: Tensor; x: Tensor };
export type ScatterAddRowsAttrs = { rows: Int32Array; scale?: Float32Array };

/**
 * `FrugalConvReluPool`: maxPool(relu(conv2d(x, w) + bias)), NHWC, pooling windows of size and stride `pool` (1: none).
 *
 * `x` [B, H, W, C], `w` [kh, kw, C, O], `bias` [O].
 */
export type ConvReluPoolInputs = { x: Tensor; w: Tensor; bias: Tensor };
export type ConvReluPoolAttrs = { strides: number; pad: 'same' | 'valid'; pool: number };

/**
 * `FrugalSoftmaxCrossEntropy`: per example −log softmax(logits)[label], and its gradient with respect to the logits.
 *
 * `logits` [B, C], `labels` [B] int32. Outputs: loss [B], gradient softmax(logits) − onehot [B, C].
 */
export type SoftmaxCrossEntropyInputs = { logits: Tensor; labels: Tensor };

/** `FrugalLayerNorm` over the last axis: `x` […, D], `scale` [D], `offset` [D] → y, mean […], 1/σ […]. */
export type LayerNormInputs = { x: Tensor; scale: Tensor; offset: Tensor };
export type LayerNormAttrs = { epsilon: number };

/** `FrugalLayerNormGrad` → dx, dscale, doffset. */
export type LayerNormGradInputs = { x: Tensor; scale: Tensor; mean: Tensor; rstd: Tensor; dy: Tensor };

/** `FrugalGelu` (tanh form) and `FrugalGeluGrad` (dy · gelu'(x)). */
export type GeluInputs = { x: Tensor };
export type GeluGradInputs = { x: Tensor; dy: Tensor };

/** `FrugalReluGrad`: dy where y > 0, else 0. `y` is the output of the ReLU; `dy` has its shape, or more axes in front. */
export type ReluGradInputs = { dy: Tensor; y: Tensor };

/**
 * `FrugalGroupGradient`: what a direction tells about a gradient, group by group (`groupSize` neighbours of a row; the last
 * group may be shorter): out[b, j] = u[b, j] · [du[b, j] ≠ 0] · Σ over i in j's group of du[b, i] · slope[b, i]. All [B, N].
 */
export type GroupGradientInputs = { u: Tensor; du: Tensor; slope: Tensor };
export type GroupGradientAttrs = { groupSize: number };
