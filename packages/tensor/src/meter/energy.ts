import * as tf from '@tensorflow/tfjs-core';

/** Grams of CO₂-equivalent per kilowatt-hour of electricity. */
export const GRID_INTENSITY: { readonly world: 475; readonly poland: 662 } = { world: 475, poland: 662 };

/** Watts of one busy core where nobody states the machine's power: Green Algorithms' figure for an unknown CPU. */
export const DEFAULT_WATTS = 12;

/** A meter of energy, such as the processor's own counter. */
export interface EnergyCounter {
  /** What is counted, e.g. `'RAPL package-0'`. */
  readonly name: string;
  /** Where the number comes from and what it covers. */
  readonly source: string;
  /** Joules since some fixed moment; never decreases. */
  joules(): number;
}

/** Energy and CO₂ of a run, with everything needed to judge the number. */
export interface Energy {
  readonly joules: number;
  readonly wattHours: number;
  /** Grams of CO₂-equivalent. */
  readonly gramsCO2: number;
  /** `'measured'` by counters, or `'estimated'` from a stated power. */
  readonly method: 'measured' | 'estimated';
  readonly formula: string;
  readonly constants: Readonly<Record<string, number>>;
  readonly source: string;
}

/** How energy is found out. */
export interface EnergyOptions {
  /** Counters to read (in Node: `energyCounters()` of `@frugal/tensor/node`); without any, energy is estimated. */
  counters?: readonly EnergyCounter[];
  /** The machine's power while it works, in watts, for the estimate. Default 12 W for each core that the backend uses. */
  watts?: number;
  /** Grams of CO₂-equivalent per kWh of the grid; 475, the world's mean (`GRID_INTENSITY`). */
  gridIntensity?: number;
}

const CO2 = 'gCO2 = E / 3.6e6 · gridIntensity';

/**
 * Energy from a time and a stated power, E = P · t. `ms` in milliseconds.
 *
 * Where nobody states the power it is that of the cores that the current backend computes with (its `threads`; 1 if it
 * does not say), all of them busy: an upper bound, as small kernels use one.
 */
export function estimateEnergy(ms: number, options: EnergyOptions = {}): Energy {
  const { gridIntensity = GRID_INTENSITY.world } = options;
  const cores = (tf.backend() as { threads?: number }).threads ?? 1;
  const watts = options.watts ?? cores * DEFAULT_WATTS;
  const source =
    options.watts === undefined
      ? `${cores} × ${DEFAULT_WATTS} W: ${cores} busy ${cores === 1 ? 'core' : 'cores'} of an unknown CPU (Green Algorithms, doi:10.1002/advs.202100707), memory and cooling left out`
      : `${watts} W: stated by the caller`;
  return describe((ms / 1000) * watts, gridIntensity, 'estimated', `E = watts · seconds; ${CO2}`, { watts }, source);
}

/** Energy that counters saw, in joules; their sum. */
export function measuredEnergy(joules: number, options: EnergyOptions): Energy {
  const { counters = [], gridIntensity = GRID_INTENSITY.world } = options;
  const source = counters.map(({ name, source }) => `${name}: ${source}`).join('; ');
  return describe(joules, gridIntensity, 'measured', `E = sum of the counters' increases; ${CO2}`, {}, source);
}

function describe(
  joules: number,
  gridIntensity: number,
  method: Energy['method'],
  formula: string,
  constants: Record<string, number>,
  source: string,
): Energy {
  const wattHours = joules / 3600;
  const gramsCO2 = (wattHours / 1000) * gridIntensity;
  return { joules, wattHours, gramsCO2, method, formula, constants: { ...constants, gridIntensity }, source };
}
