import * as tf from '@tensorflow/tfjs-core';
import type { Runtime } from '../runtime/runtime.ts';

export type Conv2DInfo = ReturnType<typeof tf.backend_util.computeConv2DInfo>;

/** Attributes that the convolution kernels of tfjs share. */
export interface ConvAttrs {
  readonly strides: number | [number, number];
  readonly pad: 'same' | 'valid' | number | [[number, number], [number, number], [number, number], [number, number]];
  readonly dilations?: number | [number, number];
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** tfjs's geometry of a convolution. */
export function conv2DInfo(
  image: readonly number[],
  filter: readonly number[],
  { strides, pad, dilations = 1, dimRoundingMode }: ConvAttrs,
  depthwise = false,
): Conv2DInfo {
  return tf.backend_util.computeConv2DInfo(
    image as [number, number, number, number],
    filter as [number, number, number, number],
    strides,
    dilations,
    pad,
    dimRoundingMode,
    depthwise,
  );
}

/** A padded image: what windows are read from. */
export interface Padded {
  readonly height: number;
  readonly width: number;
}

/** The smallest padded image that holds the image and every window. */
export function paddedSize(info: Conv2DInfo): Padded {
  const { padInfo, inHeight, inWidth, outHeight, outWidth } = info;
  return {
    height: Math.max(padInfo.top + inHeight, (outHeight - 1) * info.strideHeight + info.effectiveFilterHeight),
    width: Math.max(padInfo.left + inWidth, (outWidth - 1) * info.strideWidth + info.effectiveFilterWidth),
  };
}

/** How a window lies in the padded image: `offsets.length` runs (bytes from its corner) of `length` floats. */
export interface Runs {
  readonly length: number;
  readonly offsets: Int32Array;
}

/** The runs of a window: whole filter rows, or single positions where the filter is dilated across. */
export function windowRuns(info: Conv2DInfo, { width }: Padded): Runs {
  const { filterHeight, filterWidth, inChannels, dilationHeight, dilationWidth } = info;
  const whole = dilationWidth === 1 || filterWidth === 1;
  const across = whole ? 1 : filterWidth;
  const offsets = Int32Array.from({ length: filterHeight * across }, (_, q) => {
    const [ky, kx] = [Math.floor(q / across), q % across];
    return (ky * dilationHeight * width + kx * dilationWidth) * inChannels * 4;
  });
  return { length: whole ? filterWidth * inChannels : inChannels, offsets };
}

/** Rows of a block in assembly/image.ts, at most; both variants fit. */
export const BLOCK = 240;
/** Scratch before the packed filter: the addresses of a block and an edge tile. */
const BEFORE_FILTER = 4 * BLOCK + 512;

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** What a convolution runs with beside its geometry. */
export interface ConvCall {
  /** Address of the image, x or dx. */
  readonly image: number;
  readonly filter: number;
  /** Address of the output's side, y or dy. */
  readonly output: number;
  readonly bias?: number;
  readonly activation?: number;
  readonly activationParameter?: number;
  readonly pool?: number;
  /** Floats of the packed filter (or panel) per thread. */
  readonly packed: number;
  /** Depth that a pass of the tiles sums up, unless one run is longer. */
  readonly depth?: number;
  /** Floats of the packed windows per thread; 0 or absent: they are read where they lie. */
  readonly windows?: number;
  /** Padded images that a thread holds at once; by default what a block of windows touches. */
  readonly images?: number;
  /** Further floats of scratch; argument 25 says where. */
  readonly more?: number;
  /** Whether `more` stands after the padded images (counted from there) or before them. */
  readonly moreAfterImages?: boolean;
}

/** The arguments of assembly/image.ts; reserves the scratch memory. Allocate outputs before. */
export function convArguments(runtime: Runtime, info: Conv2DInfo, call: ConvCall): number[] {
  const padded = paddedSize(info);
  const { length, offsets } = windowRuns(info, padded);
  const pixels = info.outHeight * info.outWidth;
  const images = call.images ?? Math.min(info.batchSize, Math.ceil((BLOCK - 1) / pixels) + 1);
  const filterBytes = align(call.packed * 4);
  const moreBytes = align((call.more ?? 0) * 4);
  const imageBytes = align(images * padded.height * padded.width * info.inChannels * 4);
  const windowBytes = align((call.windows ?? 0) * 4);
  const beforeWindows = BEFORE_FILTER + filterBytes;
  const beforeMore = beforeWindows + windowBytes;
  const beforeImages = call.moreAfterImages ? beforeMore : beforeMore + moreBytes;
  runtime.needScratch(beforeMore + moreBytes + imageBytes + 64);
  const table = runtime.table(offsets);
  return [
    ...[call.image, info.batchSize, info.inHeight, info.inWidth, info.inChannels],
    ...[info.outHeight, info.outWidth, info.outChannels, length, offsets.length, table],
    ...[info.strideHeight, info.strideWidth, info.padInfo.top, info.padInfo.left, padded.height, padded.width],
    ...[call.filter, call.output, call.bias ?? 0, call.activation ?? 0, call.activationParameter ?? 0],
    ...[BEFORE_FILTER, beforeImages, call.pool ?? 1, call.moreAfterImages ? imageBytes : beforeMore],
    ...[beforeWindows, call.depth ?? 0, windowBytes === 0 ? 0 : 1],
  ];
}
