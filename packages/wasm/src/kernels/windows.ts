import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { type Epilogue, isPerChannel } from './conv.ts';
import { type Conv2DInfo, type ConvAttrs, conv2DInfo } from './geometry.ts';
import { ACTIVATION } from './matmul.ts';
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

/** tfjs calls these with `dilations` null where there are none. */
function attrsOf(call: KernelCall): ConvAttrs {
  const attrs = call.attrs as unknown as ConvAttrs;
  return { ...attrs, dilations: attrs.dilations ?? 1 };
}

/**
 * Where ours is the faster one, or the only right one: tfjs's is wrong with 'same' padding where the stride passes the filter.
 * Few channels, or several outputs for each, are XNNPACK's.
 */
function isOurs({
  inChannels,
  outChannels,
  strideHeight,
  strideWidth,
  filterHeight,
  filterWidth,
}: Conv2DInfo): boolean {
  return (inChannels >= 16 && inChannels === outChannels) || strideHeight > filterHeight || strideWidth > filterWidth;
}

/** y = act(depthwise(x, filter) + bias). */
function depthwise(
  runtime: Runtime,
  x: tf.TensorInfo,
  filter: tf.TensorInfo,
  info: Conv2DInfo,
  { bias, activation = 0, activationParameter = 0 }: Epilogue = {},
): tf.TensorInfo {
  const out = runtime.output(info.outShape);
  if (work(info) === 0) return out;
  const [image, other, y] = [x, filter, out].map((t) => runtime.address(t)) as [number, number, number];
  const end = [bias === undefined ? 0 : runtime.address(bias), activation, bits(activationParameter)];
  const args = [...windowArguments(info, { image, dy: y, other }), ...end];
  runtime.run(Op.Depthwise, args, runtime.chunks(work(info), info.batchSize * info.outHeight));
  return out;
}

/** Max-pooling, depthwise convolutions, the gradients of both and of average pooling. */
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
  over('DepthwiseConv2dNative', (runtime, stock) => (call) => {
    const { x, filter } = call.inputs as { x: tf.TensorInfo; filter: tf.TensorInfo };
    if (!allFloat(x, filter)) return stock(call);
    const info = conv2DInfo(x.shape, filter.shape, attrsOf(call), true);
    return isOurs(info) ? depthwise(runtime, x, filter, info) : stock(call);
  }),
  over('FusedDepthwiseConv2D', (runtime, stock) => (call) => {
    const { x, filter, bias, preluActivationWeights: prelu } = call.inputs as Record<string, tf.TensorInfo | undefined>;
    const attrs = call.attrs as unknown as ConvAttrs & { activation?: string; leakyreluAlpha?: number };
    const activation = ACTIVATION[attrs.activation ?? 'linear'];
    if (activation === undefined || prelu !== undefined || !allFloat(x, filter, bias)) return stock(call);
    const info = conv2DInfo(x!.shape, filter!.shape, attrsOf(call), true);
    if (!isOurs(info) || !isPerChannel(bias, info.outChannels)) return stock(call);
    const activationParameter = attrs.leakyreluAlpha ?? 0.2;
    return depthwise(runtime, x!, filter!, info, { bias, activation, activationParameter });
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
