import * as tf from '@tensorflow/tfjs-core';
import { convReluPoolOfOps } from '../../kernels/conv-relu-pool.ts';
import { geluGrad, geluGradOfOps } from '../../kernels/gelu.ts';
import { layerNormGradOfOps } from '../../kernels/layer-norm.ts';
import { matMulTangentOfOps } from '../../kernels/matmul.ts';
import { KernelName } from '../../kernels/names.ts';
import { gatherRows, scatterAddRows } from '../../kernels/rows.ts';
import { segmentMatMul, segmentMatMulWeightGrad } from '../../kernels/segments.ts';
import type {
  ConvReluPoolAttrs,
  GatherRowsAttrs,
  MatMulAccumulateAttrs,
  MatMulTangentAttrs,
  ScatterAddRowsAttrs,
  SegmentMatMulAttrs,
  SegmentMatMulWeightGradAttrs,
} from '../../kernels/types.ts';
import type { JvpCall, TangentResult } from '../jvp-call.ts';
import type { RuleEntry, RuleTable } from './entry.ts';

const attrs = <A>(call: JvpCall): A => call.attrs as unknown as A;

/** The sum of what is there; null for nothing. */
function total(...terms: (tf.Tensor | null | undefined)[]): tf.Tensor | null {
  const there = terms.filter((term) => term != null);
  return there.length === 0 ? null : there.reduce((sum, term) => tf.add(sum, term));
}

/** A kernel that equals a composition of ops, which are differentiated instead. */
function composed(of: (call: JvpCall) => tf.Tensor | readonly tf.Tensor[]): RuleEntry {
  return { kind: 'composed', many: true, rule: (call) => call.through(() => of(call)) };
}

/** With x̂ = (x − mean)·rstd and ċ = ẋ − mean(ẋ): ẏ = scale·rstd·(ċ − x̂·mean(x̂ċ)) + ṡ·x̂ + ȯ. */
function layerNorm(call: JvpCall): TangentResult {
  const [x, mean, rstd] = [call.input('x'), call.outputs[1]!, call.outputs[2]!];
  const column = (t: tf.Tensor): tf.Tensor => tf.expandDims(t, -1);
  const normal = tf.mul(tf.sub(x, column(mean)), column(rstd));
  const dScale = call.aligned('scale');
  const [byScale, byOffset] = [dScale && tf.mul(dScale, normal), call.aligned('offset')];
  const dx = call.d('x');
  if (dx === undefined) return [total(byScale, byOffset), null, null];
  const dMean = tf.mean(dx, -1, true);
  const centred = tf.sub(dx, dMean);
  const along = tf.mean(tf.mul(normal, centred), -1, true);
  const moved = tf.mul(tf.sub(centred, tf.mul(normal, along)), tf.mul(column(rstd), call.input('scale')));
  const dRstd = tf.mul(tf.neg(tf.square(rstd)), tf.squeeze(along, [-1]));
  return [total(moved, byScale, byOffset), tf.squeeze(dMean, [-1]), dRstd];
}

/** With p = softmax(logits): the loss by its gradient, the gradient by ṗ = p·(l̇ − Σ p·l̇). */
function softmaxCrossEntropy(call: JvpCall): TangentResult {
  const tangent = call.d('logits');
  if (tangent === undefined) return null;
  const p = tf.softmax(call.input('logits'));
  const scaled = tf.mul(p, tangent);
  return [tf.sum(tf.mul(call.outputs[1]!, tangent), -1), tf.sub(scaled, tf.mul(p, tf.sum(scaled, -1, true)))];
}

function scatter(call: JvpCall): TangentResult {
  const { rows, scale } = attrs<ScatterAddRowsAttrs>(call);
  const [into, x] = [call.d('into'), call.d('x')];
  if (x === undefined) return into ?? null;
  // The tangent belongs to its primal: only a clone of it may be donated.
  const target = into === undefined ? tf.zeros(call.input('into').shape) : tf.clone(into);
  return scatterAddRows({ into: target, x }, scale === undefined ? { rows } : { rows, scale });
}

function segments(call: JvpCall): TangentResult {
  const { ends, transposeW, activation } = attrs<SegmentMatMulAttrs>(call);
  const [x, w, bias] = [call.input('x'), call.input('w'), call.inputs.bias ?? undefined];
  const [dx, dw, dBias] = [call.d('x'), call.d('w'), call.d('bias')];
  const product = (x: tf.Tensor, w: tf.Tensor, bias?: tf.Tensor): tf.Tensor =>
    segmentMatMul(bias === undefined ? { x, w } : { x, w, bias }, { ends, transposeW });
  const rows = (): Int32Array =>
    Int32Array.from({ length: ends.at(-1)! }, (_, row) => ends.findIndex((end) => row < end));
  const before = total(dx && product(dx, w), dw && product(x, dw), dBias && gatherRows(dBias, rows()));
  if (before === null || activation === 'linear') return before;
  return activation === 'relu' ? tf.mul(before, tf.step(call.y)) : geluGrad({ x: product(x, w, bias), dy: before });
}

function segmentGradient(call: JvpCall): TangentResult {
  const { ends } = attrs<SegmentMatMulWeightGradAttrs>(call);
  const [x, dy] = [call.d('x'), call.d('dy')];
  return total(
    x && segmentMatMulWeightGrad({ x, dy: call.input('dy') }, ends),
    dy && segmentMatMulWeightGrad({ x: call.input('x'), dy }, ends),
  );
}

function accumulate(call: JvpCall): TangentResult {
  const { transposeA, transposeB, alpha } = attrs<MatMulAccumulateAttrs>(call);
  const [a, b] = [call.d('a'), call.d('b')];
  const product = total(
    a && tf.matMul(a, call.input('b'), transposeA, transposeB),
    b && tf.matMul(call.input('a'), b, transposeA, transposeB),
  );
  return total(call.d('c'), product && tf.mul(product, alpha));
}

/** The inputs by name, as the functions of our kernels take them. */
const named = (call: JvpCall): never =>
  Object.fromEntries(Object.entries(call.inputs).filter(([, tensor]) => tensor != null)) as never;

/** Kernels of our own (`kernels/types.ts`). Optimizer steps have none: they end a program, and own what they write. */
export const ownRules: RuleTable = {
  [KernelName.AddNoise]: { kind: 'linear', many: true, rule: (call) => call.d('p') ?? null },
  [KernelName.GatherRows]: {
    kind: 'linear',
    many: false,
    rule: (call) => gatherRows(call.d('x')!, attrs<GatherRowsAttrs>(call).rows),
  },
  [KernelName.ScatterAddRows]: { kind: 'linear', many: false, rule: scatter },
  [KernelName.MatMulAccumulate]: { kind: 'product', many: false, rule: accumulate },
  [KernelName.MatMulTangent]: composed((call) => matMulTangentOfOps(named(call), attrs<MatMulTangentAttrs>(call))),
  [KernelName.SegmentMatMul]: { kind: 'product', many: false, rule: segments },
  [KernelName.SegmentMatMulWeightGrad]: { kind: 'product', many: false, rule: segmentGradient },
  [KernelName.Gelu]: {
    kind: 'element-wise',
    many: false,
    rule: (call) => geluGrad({ x: call.input('x'), dy: call.d('x')! }),
  },
  [KernelName.GeluGrad]: composed((call) => geluGradOfOps(named(call))),
  [KernelName.LayerNorm]: { kind: 'by hand', many: true, rule: layerNorm },
  [KernelName.LayerNormGrad]: composed((call) => layerNormGradOfOps(named(call))),
  [KernelName.SoftmaxCrossEntropy]: { kind: 'by hand', many: true, rule: softmaxCrossEntropy },
  [KernelName.ConvReluPool]: composed((call) => convReluPoolOfOps(named(call), attrs<ConvReluPoolAttrs>(call))),
};
