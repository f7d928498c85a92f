import * as tf from '@tensorflow/tfjs-core';

type Weights = (position: number, size: number) => [index: number, weight: number][];

const bilinear: Weights = (position, size) => {
  const low = Math.floor(position);
  const share = position - low;
  const inside = (index: number): number => Math.min(Math.max(index, 0), size - 1);
  return [
    [inside(low), 1 - share],
    [inside(low + 1), share],
  ];
};

const nearest: Weights = (position, size) => [[Math.min(Math.max(Math.floor(position + 0.5), 0), size - 1), 1]];

/** The matrix [out, in] by which half-pixel-centred resizing acts along an axis. */
function resizeMatrix(inside: number, out: number, weights: Weights): tf.Tensor2D {
  const matrix = new Array<number>(out * inside).fill(0);
  for (let i = 0; i < out; i++) {
    const position = ((i + 0.5) * inside) / out - 0.5;
    for (const [index, weight] of weights(position, inside)) matrix[i * inside + index]! += weight;
  }
  return tf.tensor2d(matrix, [out, inside]);
}

/** The gradient kernels know nothing of half-pixel centres; resizing is a product by a matrix along each axis. */
function centredGradient(dy: tf.Tensor, shape: number[], weights: Weights): tf.Tensor {
  const [batch, height, width, channels] = shape as [number, number, number, number];
  const [, outHeight, outWidth] = dy.shape as [number, number, number, number];
  const rows = resizeMatrix(height, outHeight, weights);
  const columns = resizeMatrix(width, outWidth, weights);
  const tall = tf.reshape(dy, [batch, outHeight, outWidth * channels]);
  const short = tf.matMul(tf.tile(tf.expandDims(rows, 0), [batch, 1, 1]), tall, true, false);
  const wide = tf.reshape(short, [batch * height, outWidth, channels]);
  const narrow = tf.matMul(tf.tile(tf.expandDims(columns, 0), [batch * height, 1, 1]), wide, true, false);
  return tf.reshape(narrow, shape);
}

function resize(kernelName: string, weights: Weights): tf.GradConfig {
  const stock = tf.getGradient(kernelName)!;
  return {
    ...stock,
    gradFunc: (dy, saved, attrs) => {
      const { shape } = (saved as [tf.Tensor])[0];
      if (attrs.halfPixelCenters === true) return { images: () => centredGradient(dy as tf.Tensor, shape, weights) };
      const { images } = stock.gradFunc(dy, saved, attrs) as Record<'images', () => tf.Tensor>;
      // The cpu backend returns height and width exchanged; the values stand in the right order.
      return { images: () => tf.reshape(images(), shape) };
    },
  };
}

const depthToSpace: tf.GradConfig = {
  kernelName: 'DepthToSpace',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const { shape } = (saved as [tf.Tensor])[0];
    const { blockSize: block, dataFormat } = attrs as { blockSize: number; dataFormat: 'NHWC' | 'NCHW' };
    const [batch, a, b, c] = shape as [number, number, number, number];
    const [height, width] = dataFormat === 'NHWC' ? [a, b] : [b, c];
    const split = (before: number[], after: number[]): tf.Tensor =>
      tf.reshape(dy as tf.Tensor, [batch, ...before, height, block, width, block, ...after]);
    return {
      x: () =>
        dataFormat === 'NHWC'
          ? tf.reshape(tf.transpose(split([], [c / block ** 2]), [0, 1, 3, 2, 4, 5]), shape)
          : tf.reshape(tf.transpose(split([a / block ** 2], []), [0, 3, 5, 1, 2, 4]), shape),
    };
  },
};

const flipLeftRight: tf.GradConfig = {
  kernelName: 'FlipLeftRight',
  gradFunc: (dy) => ({ image: () => tf.reverse(dy as tf.Tensor, 2) }),
};

/** Resizing with half-pixel centres (wrong in stock) or of rectangles (throws on cpu), `depthToSpace`, `flipLeftRight`. */
export const imageRepairs = (): tf.GradConfig[] => [
  resize('ResizeBilinear', bilinear),
  resize('ResizeNearestNeighbor', nearest),
  depthToSpace,
  flipLeftRight,
];
