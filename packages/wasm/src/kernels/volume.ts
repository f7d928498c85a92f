import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { filled } from './movement.ts';
import { allFloat, over, type Registration } from './over.ts';

type Inputs = Record<string, tf.TensorInfo>;
type Size3d = [number, number, number];
interface VolumeAttrs {
  readonly strides: Size3d;
  readonly pad: 'valid' | 'same';
  readonly inputShape: [number, number, number, number, number];
  readonly filterShape: [number, number, number, number, number];
}

/** Gradients of conv3d without dilations, which tfjs does not differentiate. */
function volume(
  runtime: Runtime,
  attrs: VolumeAttrs,
  shape: VolumeAttrs['inputShape'],
  filterShape: VolumeAttrs['filterShape'],
  x: number,
  filter: number,
  dy: number,
  op: number,
): void {
  const info = tf.backend_util.computeConv3DInfo(shape, filterShape, attrs.strides, 1, attrs.pad);
  const { padInfo } = info;
  const args = [
    ...[info.batchSize, info.inDepth, info.inHeight, info.inWidth, info.inChannels],
    ...[info.outDepth, info.outHeight, info.outWidth, info.outChannels],
    ...[info.filterDepth, info.filterHeight, info.filterWidth, info.strideDepth, info.strideHeight, info.strideWidth],
    ...[padInfo.front, padInfo.top, padInfo.left, x, filter, dy],
  ];
  const work = tf.util.sizeFromShape(info.outShape) * tf.util.sizeFromShape(filterShape.slice(0, 4));
  const units =
    op === Op.VolumeInput ? info.batchSize * info.inDepth : info.filterDepth * info.filterHeight * info.filterWidth;
  runtime.run(op, args, runtime.chunks(work, units));
}

const MODE = { Dilation2D: 0, Dilation2DBackpropInput: 1, Dilation2DBackpropFilter: 2 } as const;

interface DilationAttrs {
  readonly strides: number;
  readonly pad: 'valid' | 'same';
  readonly dilations: number;
}

function dilation(
  runtime: Runtime,
  mode: number,
  { x, filter, dy }: Inputs,
  { strides, pad, dilations }: DilationAttrs,
): tf.TensorInfo {
  const shape = x!.shape as [number, number, number, number];
  const info = tf.backend_util.computeDilation2DInfo(shape, filter!.shape as Size3d, strides, pad, 'NHWC', dilations);
  const out = filled(runtime, [info.outShape, x!.shape, filter!.shape][mode]!, 'float32', 0);
  const n = tf.util.sizeFromShape(info.outShape);
  if (n === 0) return out;
  const args = [
    ...[info.batchSize, info.inHeight, info.inWidth, info.inChannels, info.outHeight, info.outWidth],
    ...[info.filterHeight, info.filterWidth, info.strideHeight, info.strideWidth, info.padInfo.top, info.padInfo.left],
    ...[info.dilationHeight, info.dilationWidth, runtime.address(x!), runtime.address(filter!)],
    ...[dy === undefined ? 0 : runtime.address(dy), runtime.address(out), mode],
  ];
  const chunks =
    mode === MODE.Dilation2DBackpropFilter
      ? 1
      : runtime.chunks(n * info.filterHeight * info.filterWidth, info.batchSize);
  runtime.run(Op.Dilation, args, chunks);
  return out;
}

/** What tfjs computes wrongly: the gradients of conv3d, and dilation with its gradients where no sum is positive. */
export const volumeKernels: readonly Registration[] = [
  over('Conv3DBackpropInputV2', (runtime, stock) => (call) => {
    const { dy, filter } = call.inputs as { dy: tf.TensorInfo; filter: tf.TensorInfo };
    const attrs = call.attrs as unknown as VolumeAttrs;
    if (!allFloat(dy, filter)) return stock(call);
    const out = runtime.output(attrs.inputShape);
    const [dx, w, d] = [out, filter, dy].map((t) => runtime.address(t)) as Size3d;
    volume(runtime, attrs, attrs.inputShape, filter.shape as VolumeAttrs['filterShape'], dx, w, d, Op.VolumeInput);
    return out;
  }),
  over('Conv3DBackpropFilterV2', (runtime, stock) => (call) => {
    const { x, dy } = call.inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
    const attrs = call.attrs as unknown as VolumeAttrs;
    if (!allFloat(x, dy)) return stock(call);
    const out = runtime.output(attrs.filterShape);
    const [px, w, d] = [x, out, dy].map((t) => runtime.address(t)) as Size3d;
    volume(runtime, attrs, x.shape as VolumeAttrs['inputShape'], attrs.filterShape, px, w, d, Op.VolumeFilter);
    return out;
  }),
  ...Object.entries(MODE).map(([name, mode]) =>
    over(name, (runtime, stock) => (call) => {
      const inputs = call.inputs as Inputs;
      if (!allFloat(...Object.values(inputs))) return stock(call);
      return dilation(runtime, mode, inputs, call.attrs as unknown as DilationAttrs);
    }),
  ),
];
