import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Conv2DInfo, type ConvAttrs, conv2DInfo } from './geometry.ts';
import { allFloat, type KernelCall, over, type Registration } from './over.ts';

interface PoolAttrs {
  readonly filterSize: number | [number, number];
  readonly strides: number | [number, number];
  readonly pad: 'same' | 'valid' | number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

function poolInfo(shape: readonly number[], call: KernelCall): Conv2DInfo {
  const { filterSize, strides, pad, dimRoundingMode } = call.attrs as unknown as PoolAttrs;
  const image = shape as [number, number, number, number];
  return tf.backend_util.computePool2DInfo(image, filterSize, strides, 1, pad, dimRoundingMode);
}

interface Addresses {
  readonly image: number;
  readonly dy: number;
  readonly other?: number;
  readonly y?: number;
}

/** The arguments of assembly/window.ts. */
function windowArguments(info: Conv2DInfo, { image, dy, other = 0, y = 0 }: Addresses): number[] {
  return [
    ...[image, info.batchSize, info.inHeight, info.inWidth, info.inChannels, info.outHeight, info.outWidth],
    ...[info.outChannels / info.inChannels, info.filterHeight, info.filterWidth, info.strideHeight, info.strideWidth],
    ...[info.dilationHeight, info.dilationWidth, info.padInfo.top, info.padInfo.left, dy, other, y],
  ];
}

/** Multiply-adds of a pass over all windows. */
function work(info: Conv2DInfo): number {
  return info.batchSize * info.outHeight * info.outWidth * info.outChannels * info.filterHeight * info.filterWidth;
}

/** Whether windows lie side by side and fill the image. */
function isTiled(info: Conv2DInfo): boolean {
  const { filterHeight, filterWidth, outHeight, outWidth, padInfo } = info;
  return (
    filterHeight === info.strideHeight &&
    filterWidth === info.strideWidth &&
    outHeight * filterHeight === info.inHeight &&
    outWidth * filterWidth === info.inWidth &&
    padInfo.top + padInfo.left === 0
  );
}

function run(runtime: Runtime, op: number, info: Conv2DInfo, addresses: Addresses, units: number): void {
  if (work(info) === 0) {
    const size = info.batchSize * info.inHeight * info.inWidth * info.inChannels;
    runtime.floats.fill(0, addresses.image >>> 2, (addresses.image >>> 2) + size);
    return;
  }
  runtime.run(op, windowArguments(info, addresses), runtime.chunks(work(info), units));
}

/** Max-pooling, the gradients of pooling and of depthwise convolutions. */
export const windowKernels: readonly Registration[] = [
  over('MaxPoolGrad', (runtime, stock) => (call) => {
    const { dy, input, output } = call.inputs as Record<string, tf.TensorInfo>;
    if (!allFloat(dy, input, output)) return stock(call);
    const info = poolInfo(input!.shape, call);
    const out = runtime.output(input!.shape);
    const [image, x, y, gradient] = [out, input!, output!, dy!].map((t) => runtime.address(t)) as [
      number,
      number,
      number,
      number,
    ];
    const addresses = { image, dy: gradient, other: x, y };
    if (isTiled(info)) run(runtime, Op.MaxPoolGradApart, info, addresses, info.batchSize * info.outHeight);
    else run(runtime, Op.MaxPoolGrad, info, addresses, info.batchSize);
    return out;
  }),
  over('MaxPool', (runtime, stock) => (call) => {
    const { x } = call.inputs as { x: tf.TensorInfo };
    if (!allFloat(x)) return stock(call);
    const info = poolInfo(x.shape, call);
    const out = runtime.output(info.outShape);
    const args = windowArguments(info, { image: runtime.address(x), dy: 0, y: runtime.address(out) });
    if (work(info) > 0) runtime.run(Op.MaxPool, args, runtime.chunks(work(info), info.batchSize * info.outHeight));
    return out;
  }),
  over('AvgPoolGrad', (runtime, stock) => (call) => {
    const { dy, input } = call.inputs as Record<string, tf.TensorInfo>;
    if (!allFloat(dy, input)) return stock(call);
    const info = poolInfo(input!.shape, call);
    const out = runtime.output(input!.shape);
    run(runtime, Op.AvgPoolGrad, info, { image: runtime.address(out), dy: runtime.address(dy!) }, info.batchSize);
    return out;
  }),
  over('DepthwiseConv2dNativeBackpropInput', (runtime, stock) => (call) => {
    const { dy, filter } = call.inputs as Record<string, tf.TensorInfo>;
    if (!allFloat(dy, filter)) return stock(call);
    const attrs = call.attrs as unknown as ConvAttrs & { inputShape: number[] };
    const info = conv2DInfo(attrs.inputShape, filter!.shape, attrs, true);
    const out = runtime.output(info.inShape);
    const [image, gradient, other] = [out, dy!, filter!].map((t) => runtime.address(t)) as [number, number, number];
    run(runtime, Op.DepthwiseInput, info, { image, dy: gradient, other }, info.batchSize);
    return out;
  }),
  over('DepthwiseConv2dNativeBackpropFilter', (runtime, stock) => (call) => {
    const { x, dy } = call.inputs as Record<string, tf.TensorInfo>;
    if (!allFloat(x, dy)) return stock(call);
    const attrs = call.attrs as unknown as ConvAttrs & { filterShape: number[] };
    const info = conv2DInfo(x!.shape, attrs.filterShape, attrs, true);
    const out = runtime.output(attrs.filterShape);
    const [other, image, gradient] = [out, x!, dy!].map((t) => runtime.address(t)) as [number, number, number];
    const taps = info.filterHeight * info.filterWidth;
    runtime.run(
      Op.DepthwiseFilter,
      windowArguments(info, { image, dy: gradient, other }),
      runtime.chunks(work(info), taps),
    );
    return out;
  }),
];
