import * as tf from '@tensorflow/tfjs-core';
import { convReluPoolOfOps } from '../../kernels/conv-relu-pool.ts';
import { geluGrad, geluGradOfOps } from '../../kernels/gelu.ts';
import { groupGradientOfOps } from '../../kernels/group-gradient.ts';
import { layerNormGradOfOps } from '../../kernels/layer-norm.ts';
import { matMulTangentOfOps } from '../../kernels/matmul.ts';
import { reluGrad } from '../../kernels/relu-grad.ts';
import { addSignsOfOps, matMulSignsOfOps } from '../../kernels/signs.ts';
import type {
  AddSignsAttrs,
  ConvReluPoolAttrs,
  GroupGradientAttrs,
  GroupGradientInputs,
  LayerNormGradInputs,
  MatMulSignsAttrs,
  MatMulTangentInputs,
} from '../../kernels/types.ts';
import type { JvpCall, TangentResult } from '../jvp-call.ts';
import type { RuleEntry, RuleTable } from './entry.ts';
import { matMulTangent } from './matmul.ts';
import { product } from './products.ts';
import { segmentMatMulTangent } from './segments.ts';
import { stepRules } from './steps.ts';
import { sum } from './sum.ts';

function composed(f: (call: JvpCall) => tf.Tensor | readonly tf.Tensor[]): RuleEntry {
  return { kind: 'composed', many: true, rule: (call) => call.through(() => f(call)) };
}

/** The loss follows the stored gradient; that one is softmax(logits) − onehot. */
function softmaxCrossEntropy(call: JvpCall): [tf.Tensor, tf.Tensor] {
  const dz = call.d('logits')!;
  const p = tf.softmax(call.input('logits') as tf.Tensor2D);
  const weighted = tf.mul(p, dz);
  const loss = tf.sum(tf.mul(call.outputs[1]!, dz), -1);
  return [loss, tf.sub(weighted, tf.mul(p, tf.sum(weighted, -1, true)))];
}

/** With c = x − mean and ċ = ẋ − mean(ẋ): (1/σ)˙ = −σ⁻³ mean(c ċ), ẏ = (ċ/σ + c (1/σ)˙)·scale + c/σ · scale˙ + offset˙. */
function layerNorm(call: JvpCall): (tf.Tensor | null)[] {
  const [, mean, rstd] = call.outputs as [tf.Tensor, tf.Tensor, tf.Tensor];
  const scale = call.input('scale');
  const column = (t: tf.Tensor): tf.Tensor => tf.reshape(t, [...mean.shape, 1]);
  const centred = tf.sub(call.input('x'), column(mean));
  const byAffine = sum(
    call.has('scale') ? tf.mul(call.aligned('scale')!, tf.mul(centred, column(rstd))) : null,
    call.aligned('offset'),
  );
  const dx = call.d('x');
  if (dx === undefined) return [byAffine, null, null];
  const dMean = tf.mean(dx, -1, true);
  const moved = tf.sub(dx, dMean);
  const dRstd = tf.neg(tf.mul(tf.mean(tf.mul(moved, centred), -1, true), tf.pow(column(rstd), 3)));
  const dNormal = tf.add(tf.mul(moved, column(rstd)), tf.mul(dRstd, centred));
  return [sum(tf.mul(dNormal, scale), byAffine), dMean, dRstd];
}

/** Rows of every direction: one gather from [K·N, …]. */
function gatherRows(call: JvpCall): tf.Tensor {
  const rows = call.attrs.rows as Int32Array;
  const dx = call.d('x')!;
  if (call.directions === undefined) return call.run({ x: dx });
  const [k, n, ...shape] = dx.shape as [number, number, ...number[]];
  const all = Int32Array.from({ length: k * rows.length }, (_, i) => {
    return Math.floor(i / rows.length) * n + rows[i % rows.length]!;
  });
  return call.run({ x: tf.reshape(dx, [k * n, ...shape]) }, { rows: all });
}

/** Kernels of our own. Those that make random numbers have no inputs, so need no rule. */
export const frugalRules: RuleTable = {
  FrugalAddNoise: { kind: 'linear', many: true, rule: (call) => call.raw('p') ?? null },
  ...stepRules,
  FrugalMatMulTangent: composed((call) =>
    matMulTangentOfOps(call.inputs as unknown as MatMulTangentInputs, call.attrs as object),
  ),
  FrugalMatMulAccumulate: {
    kind: 'product',
    many: true,
    rule: (call) => {
      const moved = matMulTangent(call);
      return sum(call.d('c'), moved && tf.mul(moved, call.attrs.alpha as number));
    },
  },
  FrugalMatMulSigns: composed((call) => {
    const { a, into, bias } = call.inputs as Record<string, tf.Tensor> & { a: tf.Tensor };
    const { columns, ...key } = call.attrs as MatMulSignsAttrs;
    return matMulSignsOfOps({ a, ...(into && { into }), ...(bias && { bias }) }, key, columns);
  }),
  FrugalAddSigns: composed((call) => {
    const { p, scale } = call.inputs as Record<string, tf.Tensor> & { p: tf.Tensor };
    const { factor, ...key } = call.attrs as AddSignsAttrs;
    return addSignsOfOps(scale ? { p, scale } : { p }, key, factor);
  }),
  FrugalSegmentMatMul: { kind: 'product', many: true, rule: segmentMatMulTangent },
  FrugalSegmentMatMulWeightGrad: product('x', 'dy'),
  FrugalGatherRows: { kind: 'linear', many: true, rule: gatherRows },
  FrugalScatterAddRows: {
    kind: 'linear',
    many: false,
    rule: (call): TangentResult => {
      if (!call.has('x')) return call.raw('into') ?? null;
      // The kernel may write into what it is given; a clone keeps the tangent of `into` as it is.
      return call.run({ into: tf.clone(call.dOrZeros('into')), x: call.d('x') });
    },
  },
  FrugalConvReluPool: composed((call) => {
    const { x, w, bias } = call.inputs as { x: tf.Tensor; w: tf.Tensor; bias: tf.Tensor };
    return convReluPoolOfOps({ x, w, bias }, call.attrs as unknown as ConvReluPoolAttrs);
  }),
  FrugalSoftmaxCrossEntropy: { kind: 'by hand', many: true, rule: softmaxCrossEntropy },
  FrugalLayerNorm: { kind: 'by hand', many: true, rule: layerNorm },
  FrugalLayerNormGrad: composed((call) => layerNormGradOfOps(call.inputs as unknown as LayerNormGradInputs)),
  FrugalGelu: {
    kind: 'element-wise',
    many: true,
    rule: (call) => {
      const [x, dx] = [call.input('x'), call.d('x')!];
      return call.lead === 0 ? geluGrad({ x, dy: dx }) : geluGradOfOps({ x, dy: dx });
    },
  },
  // Linear in dy; y moves the result nowhere but at the kink.
  FrugalReluGrad: {
    kind: 'linear',
    many: true,
    rule: (call) => (call.has('dy') ? reluGrad({ dy: call.d('dy')!, y: call.input('y') }) : null),
  },
  FrugalGroupGradient: composed((call) => {
    const { groupSize } = call.attrs as GroupGradientAttrs;
    return groupGradientOfOps(call.inputs as unknown as GroupGradientInputs, groupSize);
  }),
  FrugalGeluGrad: composed((call) => geluGradOfOps({ x: call.input('x'), dy: call.input('dy') })),
};
