import * as tf from '@tensorflow/tfjs-core';

const NAME = 'shapes';

/** Tensors without values: what runs on it costs nothing, so that large networks can be counted. */
class ShapeBackend extends tf.KernelBackend {
  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }
  override numDataIds(): number {
    return 0;
  }
  override write(): object {
    return {};
  }
  override incRef(): void {}
  override disposeData(): boolean {
    return true;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override floatPrecision(): 32 {
    return 32;
  }
}

type Inputs = Record<string, tf.TensorInfo>;
// Attributes are typed by what they are passed to.
// biome-ignore lint/suspicious/noExplicitAny: forty lines of casts would say no more.
type Attrs = any;
type Shape = (inputs: Inputs, attrs: Attrs) => number[];

const same: Shape = ({ x }) => x!.shape;
const broadcast: Shape = ({ a, b }) => tf.broadcast_util.assertAndGetBroadcastShape(a!.shape, b!.shape);
const conv: Shape = ({ x, filter }, { strides, dilations, pad, dimRoundingMode }) =>
  tf.backend_util.computeConv2DInfo(x!.shape as never, filter!.shape as never, strides, dilations, pad, dimRoundingMode)
    .outShape;
const pool: Shape = ({ x }, { filterSize, strides, pad, dimRoundingMode }) =>
  tf.backend_util.computePool2DInfo(x!.shape as never, filterSize, strides, 1, pad, dimRoundingMode).outShape;

const shapes: Record<string, Shape> = {
  Add: broadcast,
  Multiply: broadcast,
  RealDiv: broadcast,
  Sub: broadcast,
  AvgPool: pool,
  MaxPool: pool,
  BatchMatMul: ({ a, b }, { transposeA, transposeB }) => [
    ...a!.shape.slice(0, -2),
    a!.shape.at(transposeA ? -1 : -2)!,
    b!.shape.at(transposeB ? -2 : -1)!,
  ],
  Concat: (inputs, { axis }) => {
    const parts = Object.values(inputs).map(({ shape }) => shape);
    return parts[0]!.map((size, i) => (i === axis ? parts.reduce((sum, part) => sum + part[i]!, 0) : size));
  },
  Conv2D: conv,
  Fill: (_inputs, { shape }) => shape,
  FusedBatchNorm: same,
  Identity: same,
  LRN: same,
  Mean: ({ x }, { axis, keepDims }) => {
    const axes = tf.util.parseAxisParam(axis, x!.shape);
    const kept = x!.shape.map((size, i) => (axes.includes(i) ? 1 : size));
    return keepDims ? kept : kept.filter((_, i) => !axes.includes(i));
  },
  PadV2: ({ x }, { paddings }) => x!.shape.map((size, i) => size + paddings[i]![0] + paddings[i]![1]),
  Relu: same,
  Reshape: ({ x }, { shape }) => tf.util.inferFromImplicitShape(shape, tf.util.sizeFromShape(x!.shape)),
  Slice: ({ x }, { begin, size }) => tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size)[1]!,
  Softmax: ({ logits }) => logits!.shape,
};

/**
 * Runs `fn` on a backend that knows shapes only: ResNet-50 in milliseconds. Kernels that it lacks throw.
 *
 * Make weights by `tf.fill`; reading a value gives nothing.
 */
export async function onShapes<R>(fn: () => R): Promise<R> {
  const before = tf.getBackend();
  if (tf.findBackendFactory(NAME) === null) {
    tf.registerBackend(NAME, () => new ShapeBackend());
    for (const [kernelName, shape] of Object.entries(shapes)) {
      tf.registerKernel({
        kernelName,
        backendName: NAME,
        kernelFunc: ({ inputs, attrs }) => {
          return { dataId: {}, shape: shape(inputs as Inputs, attrs as Attrs), dtype: 'float32' };
        },
      });
    }
  }
  await tf.setBackend(NAME);
  try {
    return tf.tidy(() => fn() as never) as R;
  } finally {
    await tf.setBackend(before);
  }
}
