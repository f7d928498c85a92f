export {
  DEFAULT_WATTS,
  type Energy,
  type EnergyCounter,
  type EnergyOptions,
  estimateEnergy,
  GRID_INTENSITY,
} from './energy.ts';
export { formatBytes, formatCost, formatFlops } from './format.ts';
export { type CostFormula, flops, registerFlops } from './formulas.ts';
export {
  type Cost,
  createMeter,
  type KernelCost,
  type Meter,
  type Metered,
  type MeterOptions,
  meter,
} from './meter.ts';
