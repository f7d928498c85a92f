export { type AdafactorOptions, adafactor } from './adafactor.ts';
export { type AdamOptions, type AdamwOptions, adam, adamw, nadamw } from './adam.ts';
export { type LionOptions, lion } from './lion.ts';
export { type MuonOptions, muon } from './muon.ts';
export { type ProdigyOptions, type ProdigyState, prodigy } from './prodigy.ts';
export {
  type ScheduleFreeAdamwOptions,
  type ScheduleFreeOptions,
  type ScheduleFreeSgdOptions,
  type ScheduleFreeState,
  scheduleFree,
  scheduleFreeAdamw,
  scheduleFreeSgd,
} from './schedule-free.ts';
export { type MomentumOptions, momentum, nesterov, type SgdOptions, sgd } from './sgd.ts';
