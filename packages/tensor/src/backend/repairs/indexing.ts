import * as tf from '@tensorflow/tfjs-core';

/** Rows of `values` [M, D] added up where `ids` [M] says, into [count, D]. */
function addRows(values: tf.Tensor, ids: tf.Tensor, count: number): tf.Tensor {
  // Stock wasm has no UnsortedSegmentSum.
  if (tf.getKernel('UnsortedSegmentSum', tf.getBackend()) !== undefined) {
    return tf.unsortedSegmentSum(values, ids as tf.Tensor1D, count);
  }
  return tf.scatterND(tf.reshape(ids, [-1, 1]), values, [count, values.shape[1]!]);
}

/** Gradient of `gather`: rows go back to where they came from, with any number of batch axes. */
function gatherGradient(
  dy: tf.Tensor,
  shape: number[],
  indices: tf.Tensor,
  axis: number,
  batchDims: number,
): tf.Tensor {
  const size = (from: number, to?: number): number => tf.util.sizeFromShape(shape.slice(from, to));
  const [batch, outer, length, inner] = [size(0, batchDims), size(batchDims, axis), shape[axis]!, size(axis + 1)];
  const perBatch = indices.size / batch;
  let ids = tf.reshape(indices, [batch, 1, perBatch]);
  if (batch * outer > 1) {
    const starts = Int32Array.from({ length: batch * outer }, (_, i) => i * length);
    ids = tf.add(ids, tf.tensor(starts, [batch, outer, 1], 'int32'));
  }
  const rows = tf.reshape(dy, [batch * outer * perBatch, inner]);
  return tf.reshape(addRows(rows, tf.reshape(ids, [-1]), batch * outer * length), shape);
}

const noGradient = (indices: tf.Tensor) => (): tf.Tensor => tf.zeros(indices.shape);

const gather: tf.GradConfig = {
  kernelName: 'GatherV2',
  inputsToSave: ['x', 'indices'],
  gradFunc: (dy, saved, attrs) => {
    const [x, indices] = saved as [tf.Tensor, tf.Tensor];
    const axis = tf.util.parseAxisParam(attrs.axis as number, x.shape)[0]!;
    const batchDims = (attrs.batchDims as number | undefined) ?? 0;
    return {
      x: () => gatherGradient(dy as tf.Tensor, x.shape, indices, axis, batchDims),
      indices: noGradient(indices),
    };
  },
};

const gatherNd: tf.GradConfig = {
  kernelName: 'GatherNd',
  inputsToSave: ['params', 'indices'],
  gradFunc: (dy, saved) => {
    const [params, indices] = saved as [tf.Tensor, tf.Tensor];
    return {
      params: () => tf.scatterND(indices, dy as tf.Tensor, params.shape as never),
      indices: noGradient(indices),
    };
  },
};

const scatterNd: tf.GradConfig = {
  kernelName: 'ScatterNd',
  inputsToSave: ['indices'],
  gradFunc: (dy, saved) => {
    const [indices] = saved as [tf.Tensor];
    return { updates: () => tf.gatherND(dy as tf.Tensor, indices), indices: noGradient(indices) };
  },
};

const tensorScatterUpdate: tf.GradConfig = {
  kernelName: 'TensorScatterUpdate',
  inputsToSave: ['indices', 'updates'],
  gradFunc: (dy, saved) => {
    const [indices, updates] = saved as [tf.Tensor, tf.Tensor];
    return {
      // By a mask, as the cpu backend's tensorScatterUpdate writes into its input.
      tensor: () => {
        const written = tf.scatterND(indices, tf.ones(updates.shape), (dy as tf.Tensor).shape as never);
        return tf.mul(dy as tf.Tensor, tf.cast(tf.equal(written, 0), 'float32'));
      },
      updates: () => tf.gatherND(dy as tf.Tensor, indices),
      indices: noGradient(indices),
    };
  },
};

const sparseToDense: tf.GradConfig = {
  kernelName: 'SparseToDense',
  inputsToSave: ['sparseIndices', 'sparseValues'],
  gradFunc: (dy, saved) => {
    const [indices, values] = saved as [tf.Tensor, tf.Tensor];
    const rows = (): tf.Tensor => tf.reshape(indices, indices.rank === 2 ? indices.shape : [-1, 1]);
    const taken = (): tf.Tensor => tf.reshape(tf.gatherND(dy as tf.Tensor, rows()), [-1]);
    return {
      // A single value stands for all of them.
      sparseValues: () => (values.rank === 0 ? tf.sum(taken()) : tf.reshape(taken(), values.shape)),
      defaultValue: () => tf.sub(tf.sum(dy as tf.Tensor), tf.sum(taken())),
      sparseIndices: noGradient(indices),
    };
  },
};

const diag: tf.GradConfig = {
  kernelName: 'Diag',
  inputsToSave: ['x'],
  gradFunc: (dy, saved) => {
    const [x] = saved as [tf.Tensor];
    const square = (): tf.Tensor => tf.reshape(dy as tf.Tensor, [x.size, x.size]);
    return { x: () => tf.reshape(tf.sum(tf.mul(square(), tf.eye(x.size)), 1), x.shape) };
  },
};

const topK: tf.GradConfig = {
  kernelName: 'TopK',
  inputsToSave: ['x'],
  outputsToSave: [false, true],
  gradFunc: (dys, saved) => {
    const [x, indices] = saved as [tf.Tensor, tf.Tensor];
    const [dy] = dys as tf.Tensor[];
    return { x: () => gatherGradient(dy!, x.shape, indices, x.rank - 1, x.rank - 1) };
  },
};

/** `gather` over batches, `gatherND`, `scatterND`, `tensorScatterUpdate`, `sparseToDense`, `topk`, `diag`: stock throws. */
export const indexingRepairs = (): tf.GradConfig[] => [
  diag,
  gather,
  gatherNd,
  scatterNd,
  sparseToDense,
  tensorScatterUpdate,
  topK,
];
