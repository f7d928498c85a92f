export { KernelArgumentError } from './check.ts';
export { KernelName } from './names.ts';
export { type AddNoiseOptions, addNoise } from './noise.ts';
export { hasKernel } from './run.ts';
export {
  type AdamStepOptions,
  type AdamStepTensors,
  adamStep,
  type LionStepOptions,
  lionStep,
  type MomentumStepOptions,
  type MomentumStepTensors,
  momentumStep,
  type SgdStepOptions,
  type SgdStepTensors,
  sgdStep,
} from './steps.ts';
