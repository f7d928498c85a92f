import { FrugalError } from '../../errors.ts';
import type { RuleEntry, RuleTable } from './entry.ts';
import { linear, linearBatched } from './linear.ts';

/** Linear in the image, without the constant that fills the outside; refuses a tangent of the geometry. */
function warped(image: string, geometry: string, attrs: Readonly<Record<string, unknown>>): RuleEntry {
  const entry = linear(image, attrs);
  return {
    ...entry,
    rule: (call) => {
      if (call.has(geometry)) {
        throw new FrugalError(
          'NO_JVP_RULE',
          `jvp: kernel '${call.kernel}' has no derivative by '${geometry}'. Let the function capture it as a constant.`,
        );
      }
      return entry.rule(call);
    },
    note: `no derivative by '${geometry}' (an error)`,
  };
}

/** Kernels that resample images. */
export const imageRules: RuleTable = {
  ResizeBilinear: linearBatched('images'),
  ResizeNearestNeighbor: linearBatched('images'),
  ResizeBilinearGrad: linear('dy'),
  ResizeNearestNeighborGrad: linear('dy'),
  FlipLeftRight: linearBatched('image'),
  RotateWithOffset: linearBatched('image', { fillValue: 0 }),
  CropAndResize: warped('image', 'boxes', { extrapolationValue: 0 }),
  Transform: warped('image', 'transforms', { fillValue: 0 }),
};
