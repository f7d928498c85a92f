import type { Cost, Event } from '@frugal/tensor';
import { FrugalError, GRID_INTENSITY } from '@frugal/tensor';

/** What something cost. Whoever does not know a figure leaves it out, and the report does, too. */
export interface Spent {
  /** 2 per multiply-add. */
  readonly flops?: number;
  readonly seconds?: number;
  readonly joules?: number;
}

/** A part of a run: what it cost, and what it would have cost without the means that saved something. */
export interface CostEntry {
  /** What was done, e.g. `'training'`. */
  readonly what: string;
  readonly spent: Spent;
  /** The same done plainly: the dense net, the full depth, the grid of learning rates. */
  readonly instead?: Spent;
  /** What made the difference, e.g. `'early exit'`. */
  readonly by?: string;
}

/** Options of `costReport`. */
export interface CostReportOptions {
  /** Price of a kilowatt-hour. Default 0.3. */
  pricePerKwh?: number;
  /** Price of an hour of the machine, e.g. in a cloud; added to the electricity. Default 0. */
  pricePerHour?: number;
  /** Default `'EUR'`. */
  currency?: string;
  /** Grams of CO₂-equivalent per kWh. Default 475, the world's mean. */
  gridIntensity?: number;
  /** Where joules come from, e.g. `cost.energy.source`. */
  energySource?: string;
}

/** A part of a run with everything that follows from what was spent. */
export interface CostLine {
  readonly what: string;
  readonly by: string | undefined;
  readonly flops: number | undefined;
  readonly seconds: number | undefined;
  readonly joules: number | undefined;
  readonly gramsCO2: number | undefined;
  readonly money: number | undefined;
}

/** What was saved, per means: absolute, and as a share of what would have been spent. */
export interface Saving extends CostLine {
  /** Shares in (−∞, 1] of what the plain way would have cost, by figure. */
  readonly shares: { readonly flops?: number; readonly seconds?: number; readonly joules?: number };
}

/** What a run cost and what was saved by which means. Plain data: `JSON.stringify` writes it. */
export interface CostReport {
  readonly lines: readonly CostLine[];
  readonly savings: readonly Saving[];
  readonly total: CostLine;
  readonly constants: {
    readonly pricePerKwh: number;
    readonly pricePerHour: number;
    readonly currency: string;
    readonly gridIntensity: number;
  };
  /** How each figure comes about. */
  readonly notes: readonly string[];
}

/** A meter's cost as what was spent. */
export function spentOf(cost: Cost): Required<Spent> {
  return { flops: cost.flops, seconds: cost.ms / 1000, joules: cost.energy.joules };
}

/** What a metered training says it spent, from its events: those of the last one that carries totals. Undefined without any. */
export function spentOfEvents(events: Iterable<Event>): Spent | undefined {
  let spent: Spent | undefined;
  for (const event of events) {
    if (event.type !== 'epoch' && event.type !== 'end') continue;
    const { flops, seconds, wattHours } = event.metrics as Record<string, number | undefined>;
    if (flops === undefined) continue;
    spent = {
      flops,
      ...(seconds !== undefined && { seconds }),
      ...(wattHours !== undefined && { joules: wattHours * 3600 }),
    };
  }
  return spent;
}

const figures = ['flops', 'seconds', 'joules'] as const;

/** a + b and a − b where both are known. */
const plus = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a + b;
const minus = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a - b;

/**
 * What a run cost in FLOPs, seconds, energy, CO₂ and money, and what was saved by which means.
 *
 * money = kWh · pricePerKwh + hours · pricePerHour; CO₂ = kWh · gridIntensity. A saving is the difference of two figures that were given: nothing
 * is estimated here, and a figure that one side lacks is left out of the total as well.
 *
 * @throws {FrugalError} `BAD_ARGUMENT` without entries, or for a figure or a price that is negative or not finite.
 */
export function costReport(entries: readonly CostEntry[], options: CostReportOptions = {}): CostReport {
  const { pricePerKwh = 0.3, pricePerHour = 0, currency = 'EUR', gridIntensity = GRID_INTENSITY.world } = options;
  if (entries.length === 0) throw new FrugalError('BAD_ARGUMENT', 'costReport needs at least one entry, got none.');
  check({ pricePerKwh, pricePerHour, gridIntensity });
  for (const { spent, instead = {} } of entries) for (const side of [spent, instead]) check(side);

  const priced = (what: string, by: string | undefined, spent: Spent): CostLine => {
    const { flops, seconds, joules } = spent;
    const kwh = joules === undefined ? undefined : joules / 3.6e6;
    const electricity = kwh === undefined ? undefined : kwh * pricePerKwh;
    const rent = pricePerHour === 0 ? 0 : seconds === undefined ? undefined : (seconds / 3600) * pricePerHour;
    return {
      ...{ what, by, flops, seconds, joules },
      gramsCO2: kwh === undefined ? undefined : kwh * gridIntensity,
      money: plus(electricity, rent),
    };
  };
  const sum = (parts: readonly Spent[]): Spent =>
    Object.fromEntries(
      figures.map((name) => [name, parts.reduce<number | undefined>((all, one) => plus(all, one[name]), 0)]),
    );
  const savings = entries.flatMap(({ what, by, spent, instead }): Saving[] => {
    if (instead === undefined) return [];
    const saved: Spent = Object.fromEntries(figures.map((name) => [name, minus(instead[name], spent[name])]));
    const shares = Object.fromEntries(
      figures
        .filter((name) => saved[name] !== undefined && instead[name]! > 0)
        .map((name) => [name, saved[name]! / instead[name]!]),
    );
    return [{ ...priced(what, by, saved), shares }];
  });
  return {
    lines: entries.map(({ what, by, spent }) => priced(what, by, spent)),
    savings,
    total: priced('total', undefined, sum(entries.map(({ spent }) => spent))),
    constants: { pricePerKwh, pricePerHour, currency, gridIntensity },
    notes: [
      'FLOPs: 2 per multiply-add.',
      `Energy: ${options.energySource ?? 'joules as they were given'}.`,
      `CO2 = kWh · ${gridIntensity} g. Money = kWh · ${pricePerKwh} ${currency} + hours · ${pricePerHour} ${currency}.`,
      'A saving is the plain way less what was spent, both as they were given.',
    ],
  };
}

function check(values: object): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || (typeof value === 'number' && value >= 0 && Number.isFinite(value))) continue;
    throw new FrugalError('BAD_ARGUMENT', `costReport: ${name} must be a number of at least 0, got ${value}.`);
  }
}
