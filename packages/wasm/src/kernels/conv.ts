import { KernelName } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { convolveDirect, isDirect } from './conv-direct.ts';
import {
  BLOCK,
  type Conv2DInfo,
  type ConvAttrs,
  type ConvCall,
  conv2DInfo,
  convArguments,
  paddedSize,
  windowRuns,
} from './geometry.ts';
import { ACTIVATION, multiply } from './matmul.ts';
import { allFloat, expectFloat, type KernelCall, over, type Registration, refusal } from './over.ts';

/** Floats of a matrix of `columns` columns in panels of 8, the last one of 4 where that is enough. */
function panels(depth: number, columns: number): number {
  const rest = columns % 8;
  return depth * (columns - rest + (rest === 0 ? 0 : rest > 4 ? 8 : 4));
}

/** Multiply-adds of a convolution. */
function work(info: Conv2DInfo): number {
  const { batchSize, outHeight, outWidth, outChannels, filterHeight, filterWidth, inChannels } = info;
  return batchSize * outHeight * outWidth * outChannels * filterHeight * filterWidth * inChannels;
}

/** A convolution that is a matmul of pixels × channels. */
function isMatMul(info: Conv2DInfo): boolean {
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo } = info;
  const { top, bottom, left, right } = padInfo;
  return filterHeight * filterWidth * strideHeight * strideWidth === 1 && top + bottom + left + right === 0;
}

function isEmpty(info: Conv2DInfo): boolean {
  return info.batchSize * info.inChannels * info.outChannels * info.outHeight * info.outWidth * info.inHeight === 0;
}

/** What follows a convolution on its output. */
export interface Epilogue {
  readonly bias?: tf.TensorInfo | undefined;
  readonly activation?: number;
  readonly activationParameter?: number;
}

/** y = act(conv2d(x, filter) + bias), NHWC. */
export function conv2D(
  runtime: Runtime,
  x: tf.TensorInfo,
  filter: tf.TensorInfo,
  info: Conv2DInfo,
  { bias, activation = 0, activationParameter = 0 }: Epilogue = {},
): tf.TensorInfo {
  const out = runtime.output(info.outShape);
  const end = { bias: bias === undefined ? 0 : runtime.address(bias), activation, activationParameter };
  const [image, weights, output] = [x, filter, out].map((t) => runtime.address(t)) as [number, number, number];
  if (isMatMul(info)) {
    const shape = { m: pixelsOf(info), n: info.outChannels, k: info.inChannels };
    multiply(runtime, { transposeA: false, transposeB: false, ...shape, a: image, b: weights, c: output, ...end });
  } else {
    convolve(runtime, info, { image, filter: weights, output, ...end });
  }
  return out;
}

type Convolution = Pick<ConvCall, 'image' | 'filter' | 'output' | 'bias' | 'activation' | 'activationParameter'>;

function convolve(runtime: Runtime, info: Conv2DInfo, call: Convolution): void {
  if (isDirect(info)) {
    convolveDirect(runtime, info, call, work(info));
    return;
  }
  const args = convArguments(runtime, info, {
    ...call,
    activationParameter: bits(call.activationParameter ?? 0),
    packed: panels(depthOf(info), info.outChannels),
    ...passOf(info),
  });
  runtime.run(Op.Conv, args, runtime.chunks(work(info), Math.ceil(pixelsOf(info) / 24)));
}

/** Depth that a pass sums up: its filter panel stays in the first-level cache. */
const DEPTH = 320;

/** With more output channels it pays to pack the windows too: the tiles then follow one address instead of one per row. */
const UNPACKED_CHANNELS = 8;

/** How a pass forward goes: its depth, and the floats of a block of packed windows. */
function passOf(info: Conv2DInfo): Pick<ConvCall, 'depth' | 'windows'> {
  const { length } = windowRuns(info, paddedSize(info));
  return { depth: DEPTH, windows: info.outChannels <= UNPACKED_CHANNELS ? 0 : BLOCK * Math.max(DEPTH, length) };
}

function depthOf(info: Conv2DInfo): number {
  return info.filterHeight * info.filterWidth * info.inChannels;
}

function pixelsOf(info: Conv2DInfo): number {
  return info.batchSize * info.outHeight * info.outWidth;
}

/** dfilter = Σ windowᵀ · dy. */
export function conv2DFilterGradient(
  runtime: Runtime,
  x: tf.TensorInfo,
  dy: tf.TensorInfo,
  info: Conv2DInfo,
): tf.TensorInfo {
  const out = runtime.output(info.filterShape);
  const [image, output, filter] = [x, dy, out].map((t) => runtime.address(t)) as [number, number, number];
  if (isMatMul(info)) {
    const shape = { m: info.inChannels, n: info.outChannels, k: pixelsOf(info) };
    multiply(runtime, { transposeA: true, transposeB: false, ...shape, a: image, b: output, c: filter });
    return out;
  }
  const args = convArguments(runtime, info, { image, filter, output, packed: 240 * 8 });
  const { length, offsets } = windowRuns(info, paddedSize(info));
  runtime.run(Op.ConvFilter, args, runtime.chunks(work(info), Math.ceil(length / 6) * offsets.length));
  return out;
}

/**
 * The gradient of the input without strides is a convolution of dy with the filter turned around, channels swapped;
 * nothing where windows begin outside of the padding that this would need, the channels fill no tile, or the wider
 * padding costs more than adding at windows does.
 */
function turned(info: Conv2DInfo): Conv2DInfo | undefined {
  const { padInfo, effectiveFilterHeight, effectiveFilterWidth, strideHeight, strideWidth } = info;
  const [top, left] = [effectiveFilterHeight - 1 - padInfo.top, effectiveFilterWidth - 1 - padInfo.left];
  if (strideHeight * strideWidth !== 1 || top < 0 || left < 0 || info.inChannels < 4) return undefined;
  if (convolvingCost(info) > scatteringCost(info)) return undefined;
  return {
    ...info,
    ...{ inHeight: info.outHeight, inWidth: info.outWidth, inChannels: info.outChannels },
    ...{ outHeight: info.inHeight, outWidth: info.inWidth, outChannels: info.inChannels },
    padInfo: { ...padInfo, top, left },
  };
}

/** Multiply-adds of tiles, idle columns counted: every input pixel sees a whole window of dy. */
function convolvingCost({ inHeight, inWidth, inChannels, outChannels, filterHeight, filterWidth }: Conv2DInfo): number {
  return inHeight * inWidth * filterHeight * filterWidth * outChannels * panels(1, inChannels);
}

/** The same for adding at windows; to load, add and store a tile costs about as much as eight channels. */
function scatteringCost(info: Conv2DInfo): number {
  const { length, offsets } = windowRuns(info, paddedSize(info));
  return info.outHeight * info.outWidth * (info.outChannels + 8) * offsets.length * panels(1, length);
}

/** Copies a filter [kh, kw, C, O] as [kh, kw, O, C], its positions in reverse order; returns where it is. */
function turnFilter(
  runtime: Runtime,
  filter: number,
  { filterHeight, filterWidth, inChannels, outChannels }: Conv2DInfo,
): number {
  const [positions, matrix] = [filterHeight * filterWidth, inChannels * outChannels];
  const address = runtime.workspace(positions * matrix * 4);
  const floats = runtime.floats;
  for (let t = 0; t < positions; t++) {
    const from = (filter >>> 2) + (positions - 1 - t) * matrix;
    const to = (address >>> 2) + t * matrix;
    for (let c = 0; c < inChannels; c++) {
      for (let o = 0; o < outChannels; o++) floats[to + o * inChannels + c] = floats[from + c * outChannels + o]!;
    }
  }
  return address;
}

/** Output channels that a pass of the input's gradient sums up. */
const INPUT_DEPTH = 256;

/** dx: a convolution with the turned filter, or dy · filterᵀ added up at the windows. */
export function conv2DInputGradient(
  runtime: Runtime,
  dy: tf.TensorInfo,
  filter: tf.TensorInfo,
  info: Conv2DInfo,
): tf.TensorInfo {
  const out = runtime.output(info.inShape);
  const [output, weights, image] = [dy, filter, out].map((t) => runtime.address(t)) as [number, number, number];
  if (isMatMul(info)) {
    const shape = { m: pixelsOf(info), n: info.inChannels, k: info.outChannels };
    multiply(runtime, { transposeA: false, transposeB: true, ...shape, a: output, b: weights, c: image });
    return out;
  }
  const around = turned(info);
  if (around !== undefined) {
    convolve(runtime, around, { image: output, filter: turnFilter(runtime, weights, info), output: image });
    return out;
  }
  const depth = Math.min(info.outChannels, INPUT_DEPTH);
  const { length, offsets } = windowRuns(info, paddedSize(info));
  const args = convArguments(runtime, info, {
    ...{ image, filter: weights, output, images: 1 },
    ...{ packed: panels(depth, length) * offsets.length, more: (BLOCK + 6) * depth, depth },
  });
  runtime.run(Op.ConvInput, args, runtime.chunks(work(info), info.batchSize));
  return out;
}

/** A bias of one number per output channel; others are the stock kernel's. */
export function isPerChannel(bias: tf.TensorInfo | undefined, channels: number): boolean {
  return bias === undefined || (tf.util.sizeFromShape(bias.shape) === channels && bias.shape.at(-1) === channels);
}

type Inputs = Readonly<Record<string, tf.TensorInfo | undefined>>;

/** The attributes if a kernel of ours takes them: channels last. */
function attrsOf(call: KernelCall): (ConvAttrs & Record<string, unknown>) | undefined {
  const attrs = call.attrs as unknown as ConvAttrs & Record<string, unknown>;
  return attrs.dataFormat === undefined || attrs.dataFormat === 'NHWC' ? attrs : undefined;
}

/** Plain convolutions and their gradients. */
export const convKernels: readonly Registration[] = [
  over('Conv2D', (runtime, stock) => (call) => {
    const { x, filter } = call.inputs as { x: tf.TensorInfo; filter: tf.TensorInfo };
    const attrs = attrsOf(call);
    if (attrs === undefined || !allFloat(x, filter)) return stock(call);
    const info = conv2DInfo(x.shape, filter.shape, attrs);
    return isEmpty(info) ? stock(call) : conv2D(runtime, x, filter, info);
  }),
  over('FusedConv2D', (runtime, stock) => (call) => {
    const { x, filter, bias, preluActivationWeights: prelu } = call.inputs as Inputs;
    const attrs = attrsOf(call);
    const activation = ACTIVATION[(attrs?.activation as string | undefined) ?? 'linear'];
    if (attrs === undefined || activation === undefined || prelu !== undefined || !allFloat(x, filter, bias)) {
      return stock(call);
    }
    const info = conv2DInfo(x!.shape, filter!.shape, attrs);
    if (isEmpty(info) || !isPerChannel(bias, info.outChannels)) return stock(call);
    const activationParameter = (attrs.leakyreluAlpha as number | undefined) ?? 0.2;
    return conv2D(runtime, x!, filter!, info, { bias, activation, activationParameter });
  }),
  over('Conv2DBackpropInput', (runtime, stock) => (call) => {
    const { dy, filter } = call.inputs as { dy: tf.TensorInfo; filter: tf.TensorInfo };
    const attrs = attrsOf(call);
    if (attrs === undefined || !allFloat(dy, filter)) return stock(call);
    const info = conv2DInfo(attrs.inputShape as number[], filter.shape, attrs);
    return isEmpty(info) ? stock(call) : conv2DInputGradient(runtime, dy, filter, info);
  }),
  over('Conv2DBackpropFilter', (runtime, stock) => (call) => {
    const { x, dy } = call.inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
    const attrs = attrsOf(call);
    if (attrs === undefined || !allFloat(x, dy)) return stock(call);
    const info = conv2DInfo(x.shape, attrs.filterShape as number[], attrs);
    return isEmpty(info) ? stock(call) : conv2DFilterGradient(runtime, x, dy, info);
  }),
  over(KernelName.ConvReluPool, (runtime) => (call) => {
    const { x, w, bias } = call.inputs as { x: tf.TensorInfo; w: tf.TensorInfo; bias: tf.TensorInfo };
    expectFloat(KernelName.ConvReluPool, x, w, bias);
    const { strides, pad, pool } = call.attrs as unknown as { strides: number; pad: 'same' | 'valid'; pool: number };
    const info = conv2DInfo(x.shape, w.shape, { strides, pad });
    return convReluPool(runtime, x, w, bias, info, pool);
  }),
];

function convReluPool(
  runtime: Runtime,
  x: tf.TensorInfo,
  w: tf.TensorInfo,
  bias: tf.TensorInfo,
  info: Conv2DInfo,
  pool: number,
): tf.TensorInfo {
  if (bias.shape.at(-1) !== info.outChannels) {
    throw refusal(KernelName.ConvReluPool, `takes a bias of ${info.outChannels} numbers, got shape [${bias.shape}]`);
  }
  const shape = [info.batchSize, Math.floor(info.outHeight / pool), Math.floor(info.outWidth / pool), info.outChannels];
  if (tf.util.sizeFromShape(shape) === 0 || isEmpty(info)) return runtime.output(shape);
  if (pool === 1) return conv2D(runtime, x, w, info, { bias, activation: ACTIVATION['relu']! });
  const out = runtime.output(shape);
  const [image, filter, output] = [x, w, out].map((t) => runtime.address(t)) as [number, number, number];
  const call = { image, filter, output, bias: runtime.address(bias), activation: ACTIVATION['relu']!, pool };
  if (isDirect(info, pool)) {
    convolveDirect(runtime, info, call, work(info));
    return out;
  }
  const args = convArguments(runtime, info, {
    ...{ ...call, images: 1 },
    ...{ packed: panels(depthOf(info), info.outChannels) },
    ...passOf(info),
    ...{ more: (Math.max(pool * info.outWidth, BLOCK) + 6) * info.outChannels, moreAfterImages: true },
  });
  runtime.run(Op.ConvPool, args, runtime.chunks(work(info), shape[0]! * shape[1]!));
  return out;
}
