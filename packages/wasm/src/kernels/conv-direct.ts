import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import type { Conv2DInfo } from './geometry.ts';

/** Input channels up to which a convolution over planes is the faster one. */
const MOST_CHANNELS = 4;
/** Windows and output channels beyond which the filter would leave the first-level cache. */
const MOST_TAPS = 128;
const MOST_OUTPUTS = 64;

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Whether assembly/conv-direct.ts takes a convolution, with pooling by `pool` after it. */
export function isDirect(info: Conv2DInfo, pool = 1): boolean {
  const { inChannels, outChannels, strideWidth, filterHeight, filterWidth } = info;
  return (
    pool <= 2 &&
    strideWidth === 1 &&
    inChannels <= MOST_CHANNELS &&
    outChannels <= MOST_OUTPUTS &&
    filterHeight * filterWidth * inChannels <= MOST_TAPS
  );
}

/** Addresses of a convolution, and what follows it. */
export interface DirectCall {
  readonly image: number;
  readonly filter: number;
  readonly output: number;
  readonly bias?: number | undefined;
  readonly activation?: number | undefined;
  readonly activationParameter?: number | undefined;
  readonly pool?: number | undefined;
}

/** Runs it. `work`: its multiply-adds. Allocate the output before. */
export function convolveDirect(runtime: Runtime, info: Conv2DInfo, call: DirectCall, work: number): void {
  const { bias = 0, activation = 0, activationParameter = 0, pool = 1 } = call;
  const { filterHeight, filterWidth, inChannels, outChannels, outHeight, outWidth, padInfo } = info;
  const taps = filterHeight * filterWidth * inChannels;
  // The tiles take four pixels of two rows, also where the image ends.
  const [rows, columns] = [Math.ceil(outHeight / 2) * 2, Math.ceil(outWidth / 4) * 4];
  const height = Math.max(padInfo.top + info.inHeight, (rows - 1) * info.strideHeight + info.effectiveFilterHeight);
  const width = Math.max(padInfo.left + info.inWidth, columns - 1 + info.effectiveFilterWidth);
  const offsets = Int32Array.from({ length: taps }, (_, tap) => {
    const [position, c] = [Math.floor(tap / inChannels), tap % inChannels];
    const [ky, kx] = [Math.floor(position / filterWidth), position % filterWidth];
    return 4 * ((c * height + ky * info.dilationHeight) * width + kx * info.dilationWidth);
  });
  // Tiles of at most six channels may stand beyond the last one.
  const filterBytes = align(4 * (outChannels + 6) * (taps + 1));
  const imageBytes = align(4 * inChannels * height * width);
  runtime.needScratch(filterBytes + imageBytes + 4 * (outChannels + 6) * 2 * columns + 64);
  const args = [
    ...[call.image, info.batchSize, info.inHeight, info.inWidth, inChannels, outHeight, outWidth, outChannels],
    ...[taps, runtime.table(offsets), info.strideHeight, padInfo.top, padInfo.left, height, width],
    ...[call.filter, call.output, bias, activation, bits(activationParameter), pool],
    ...[filterBytes, filterBytes + imageBytes],
  ];
  runtime.run(Op.ConvDirect, args, runtime.chunks(work, info.batchSize * (rows / 2)));
}
