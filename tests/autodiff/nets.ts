import * as tf from '@tensorflow/tfjs-core';
import { generator } from './program.ts';

type Params = Record<string, tf.Tensor>;

/** A small net: shapes of its parameters and its loss on fixed data. */
export interface Net {
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  loss(params: Params, data: Data): tf.Tensor;
  /** What a Hessian-vector product by nested `tf.grads` does here. */
  readonly nested: 'throws' | 'lies' | 'works';
  /**
   * The relative error that a Hessian-vector product may have on TensorFlow and on WebGPU (SwiftShader's: other adapters
   * may be further off, as far as WGSL lets tanh and exp be). Three to six times what was measured: docs/autodiff.md.
   */
  readonly tolerance: number;
}

export interface Data {
  /** [6, 5] */
  x: tf.Tensor2D;
  /** [2, 6, 6, 2] */
  images: tf.Tensor4D;
  /** [6, 3], rows of a one-hot code */
  targets: tf.Tensor2D;
}

/** Deterministic numbers, the same in float32 and float64. */
export function draw(shape: readonly number[], seed: number, scale = 1): tf.Tensor {
  const random = generator(seed);
  const size = shape.reduce((n, extent) => n * extent, 1);
  const values = Array.from({ length: size }, () => Math.fround(scale * (2 * random() - 1)));
  return tf.tensor(values, [...shape], 'float32');
}

export function makeData(): Data {
  const hot = Array.from({ length: 18 }, (_, i) => (i % 3 === Math.floor(i / 3) % 3 ? 1 : 0));
  return {
    x: draw([6, 5], 1) as tf.Tensor2D,
    images: draw([2, 6, 6, 2], 2) as tf.Tensor4D,
    targets: tf.tensor(hot, [6, 3], 'float32') as tf.Tensor2D,
  };
}

export function makeParams(net: Net, seed: number): Params {
  return Object.fromEntries(
    Object.entries(net.shapes).map(([name, shape], i) => [name, draw(shape, 100 * seed + i, 0.8)]),
  );
}

const dot = (a: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D);
const dense = (x: tf.Tensor, w: tf.Tensor, b: tf.Tensor): tf.Tensor => tf.add(dot(x, w), b);

/** Cross-entropy out of plain ops. */
function crossEntropy(logits: tf.Tensor, targets: tf.Tensor): tf.Tensor {
  return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)));
}

const mlpShapes = { w1: [5, 7], b1: [7], w2: [7, 3], b2: [3] };

function mlp(activation: (x: tf.Tensor) => tf.Tensor, nested: Net['nested']): Net {
  return {
    shapes: mlpShapes,
    loss: ({ w1, b1, w2, b2 }, { x, targets }) =>
      crossEntropy(dense(activation(dense(x, w1!, b1!)), w2!, b2!), targets),
    nested,
    tolerance: 6e-7,
  };
}

const swish = (x: tf.Tensor): tf.Tensor => tf.mul(x, tf.sigmoid(x));
const geluErf = (x: tf.Tensor): tf.Tensor => tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2))));
const geluTanh = (x: tf.Tensor): tf.Tensor => {
  const inner = tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.pow(x, 3))));
  return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(inner)));
};

function layerNorm(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor): tf.Tensor {
  const { mean, variance } = tf.moments(x, -1, true);
  return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3))), scale), offset);
}

function convNet(pool: (x: tf.Tensor4D) => tf.Tensor, nested: Net['nested']): Net {
  return {
    shapes: { filter: [3, 3, 2, 3], bias: [3], w: [27, 3] },
    loss: ({ filter, bias, w }, { images, targets }) => {
      const h = tf.tanh(tf.add(tf.conv2d(images, filter as tf.Tensor4D, 1, 'same'), bias!)) as tf.Tensor4D;
      return crossEntropy(dot(tf.reshape(pool(h), [2, 27]), w!), tf.slice(targets, [0, 0], [2, 3]));
    },
    nested,
    tolerance: 1e-6,
  };
}

/** The nets that Hessian-vector products are held to. */
export const nets: Readonly<Record<string, Net>> = {
  tanh: mlp(tf.tanh, 'throws'),
  sigmoid: mlp(tf.sigmoid, 'throws'),
  softmax: mlp((x) => tf.softmax(x), 'throws'),
  relu: mlp(tf.relu, 'throws'),
  elu: mlp(tf.elu, 'throws'),
  selu: mlp(tf.selu, 'throws'),
  softplus: mlp(tf.softplus, 'throws'),
  swish: mlp(swish, 'throws'),
  'GELU (erf)': mlp(geluErf, 'throws'),
  'GELU (tanh)': mlp(geluTanh, 'throws'),
  'squared error after tanh': {
    shapes: mlpShapes,
    loss: ({ w1, b1, w2, b2 }, { x, targets }) =>
      tf.mean(tf.squaredDifference(dense(tf.tanh(dense(x, w1!, b1!)), w2!, b2!), targets)),
    nested: 'lies',
    tolerance: 5e-7,
  },
  'conv, max-pool': convNet((x) => tf.maxPool(x, 2, 2, 'valid'), 'throws'),
  'conv, average pool': convNet((x) => tf.avgPool(x, 2, 2, 'valid'), 'throws'),
  'depthwise conv': {
    shapes: { filter: [3, 3, 2, 2], w: [144, 3] },
    loss: ({ filter, w }, { images, targets }) => {
      const h = tf.tanh(tf.depthwiseConv2d(images, filter as tf.Tensor4D, 1, 'same'));
      return crossEntropy(dot(tf.reshape(h, [2, 144]), w!), tf.slice(targets, [0, 0], [2, 3]));
    },
    nested: 'throws',
    tolerance: 6e-7,
  },
  'batch norm': {
    shapes: { w1: [5, 7], scale: [7], offset: [7], w2: [7, 3] },
    loss: ({ w1, scale, offset, w2 }, { x, targets }) => {
      const h = dot(x, w1!) as tf.Tensor2D;
      const { mean, variance } = tf.moments(h, 0);
      const normal = tf.batchNorm(
        h,
        mean as tf.Tensor1D,
        variance as tf.Tensor1D,
        offset as tf.Tensor1D,
        scale as tf.Tensor1D,
        1e-3,
      );
      return tf.mean(tf.squaredDifference(dot(tf.tanh(normal), w2!), targets));
    },
    nested: 'lies',
    tolerance: 6e-7,
  },
  'attention, layer norm': {
    shapes: { q: [5, 4], k: [5, 4], v: [5, 4], scale: [4], offset: [4], out: [4, 3] },
    loss: ({ q, k, v, scale, offset, out }, { x, targets }) => {
      const scores = tf.mul(tf.matMul(dot(x, q!) as tf.Tensor2D, dot(x, k!) as tf.Tensor2D, false, true), 0.5);
      const mixed = dot(tf.softmax(scores), dot(x, v!));
      return tf.mean(tf.squaredDifference(dot(layerNorm(mixed, scale!, offset!), out!), targets));
    },
    nested: 'lies',
    tolerance: 6e-7,
  },
  embedding: {
    shapes: { table: [9, 4], w: [4, 3] },
    loss: ({ table, w }, { targets }) => {
      const rows = tf.gather(
        table!,
        tf.tensor2d(
          [
            [1, 3],
            [0, 3],
            [8, 2],
            [5, 5],
            [7, 1],
            [3, 3],
          ],
          [6, 2],
          'int32',
        ),
      );
      return tf.mean(tf.squaredDifference(dot(tf.tanh(tf.mean(rows, 1)), w!), targets));
    },
    nested: 'lies',
    tolerance: 4e-7,
  },
  'LSTM, 4 steps': {
    shapes: { wx: [5, 16], wh: [4, 16], b: [16], out: [4, 3] },
    loss: ({ wx, wh, b, out }, { x, targets }) => {
      let [h, c]: [tf.Tensor, tf.Tensor] = [tf.zeros([6, 4]), tf.zeros([6, 4])];
      for (let step = 0; step < 4; step++) {
        const input = tf.mul(x, 1 - 0.3 * step);
        const [i, f, o, g] = tf.split(tf.add(tf.add(dot(input, wx!), dot(h, wh!)), b!), 4, 1) as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
        ];
        c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)));
        h = tf.mul(tf.sigmoid(o), tf.tanh(c));
      }
      return tf.mean(tf.squaredDifference(dot(h, out!), targets));
    },
    nested: 'lies',
    tolerance: 8e-7,
  },
};
