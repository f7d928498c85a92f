import * as tf from '@tensorflow/tfjs-core';
import type { JvpCall, TangentResult } from '../jvp-call.ts';
import type { RuleTable } from './entry.ts';
import { linear, linearTrailing } from './linear.ts';

const alongTrailing = linearTrailing('x', (call) => ({ ...call.attrs, axis: axisOf(call) }));

function axisOf(call: JvpCall): number {
  return tf.util.parseAxisParam(call.attrs.axis as number, call.input('x').shape)[0]!;
}

function gather(call: JvpCall): TangentResult {
  const [axis, batchDims] = [axisOf(call), call.attrs.batchDims as number];
  const tangent = call.raw('x')!;
  if (!(tangent instanceof tf.Tensor) && axis === 0 && batchDims === 0 && call.input('x').rank === 2) {
    const rows = tangent.rows?.(call.input('indices'));
    if (rows !== undefined) return rows;
  }
  if (batchDims > 0) return alongTrailing.rule(call);
  return call.run({ x: call.d('x'), indices: call.inputs.indices }, { axis: axis + call.lead, batchDims });
}

/** The entries that TopK chose, taken from the tangent. */
function topK(call: JvpCall): [tf.Tensor, null] {
  const [values, indices] = call.outputs as [tf.Tensor, tf.Tensor];
  const x = call.input('x');
  const [n, k] = [x.shape.at(-1)!, values.shape.at(-1)!];
  const rows = x.size / n;
  const starts = tf.mul(tf.range(0, rows, 1, 'int32'), tf.scalar(n, 'int32'));
  const flat = tf.reshape(tf.add(tf.reshape(indices, [rows, k]), tf.reshape(starts, [rows, 1])), [-1]);
  const tangent = tf.reshape(call.d('x')!, call.withLead([x.size]));
  const chosen = tf.gather(tangent, tf.cast(flat, 'int32'), call.lead);
  return [tf.reshape(chosen, call.withLead(values.shape)), null];
}

const trailingShape = (call: JvpCall): Readonly<Record<string, unknown>> => ({
  shape: [...(call.attrs.shape as number[]), call.directions],
});

function select(call: JvpCall): tf.Tensor {
  const pick = call.input('condition');
  const side = (name: string): tf.Tensor => call.d(name) ?? tf.zeros([]);
  return tf.where(pick, side('t'), side('e'));
}

/** Kernels that pick, scatter or count by indices. */
export const indexingRules: RuleTable = {
  GatherV2: { kind: 'linear', many: true, rule: gather },
  GatherNd: linearTrailing('params'),
  ScatterNd: linearTrailing('updates', trailingShape),
  UnsortedSegmentSum: linearTrailing('x'),
  TensorScatterUpdate: {
    kind: 'linear',
    many: false,
    rule: (call) =>
      call.run({
        tensor: call.dOrZeros('tensor'),
        indices: call.inputs.indices,
        updates: call.dOrZeros('updates'),
      }),
  },
  SparseToDense: {
    kind: 'linear',
    many: false,
    rule: (call) =>
      call.run({
        sparseIndices: call.inputs.sparseIndices,
        sparseValues: call.dOrZeros('sparseValues'),
        defaultValue: call.dOrZeros('defaultValue'),
      }),
  },
  SparseSegmentSum: linear('data'),
  SparseSegmentMean: linear('data'),
  Bincount: linear('weights'),
  DenseBincount: {
    kind: 'linear',
    many: false,
    rule: (call) => (call.attrs.binaryOutput ? null : call.run({ ...call.inputs, weights: call.d('weights') })),
  },
  Select: { kind: 'linear', many: true, rule: select, note: 'the condition has no derivative' },
  TopK: { kind: 'by hand', many: true, rule: topK },
};
