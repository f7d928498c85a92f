import type { Tally } from './tally.ts';

/** What one activation of a program showed. "Sparsity" is the share of zeros. */
export interface LayerActivity {
  /** Position among the watched activations of a pass. */
  readonly index: number;
  /** The kernel whose output it is, and its activation. */
  readonly kernel: string;
  readonly activation: string;
  /** Of the last pass. */
  readonly shape: readonly number[];
  /** Values seen, and how many of them were zero. */
  readonly values: number;
  readonly zeros: number;
  readonly zeroFraction: number;
  /** Share of zeros per example, in the order of the passes. */
  readonly perExample: readonly number[];
  /** Share of zeros per token (pixels on request), example by example; empty where an example is one vector. */
  readonly perToken: readonly number[];
  /** How often each unit (last axis) was not zero, a share of all rows. */
  readonly unitActivity: Float64Array;
  /** Units that were zero in every row. */
  readonly deadUnits: readonly number[];
  /** Mean over the examples, where asked for; examples that are all zero are left out. NaN if none is left. */
  readonly hoyer: number | undefined;
  readonly gini: number | undefined;
}

/** What a probe saw. */
export interface ActivationReport {
  readonly layers: readonly LayerActivity[];
  /** Share of zeros over all values of all layers. */
  readonly zeroFraction: number;
  /** Share of zeros per example over all layers together; empty if layers have not seen equally many. */
  readonly perExample: readonly number[];
  readonly deadUnits: number;
}

interface Noted {
  readonly kernel: string;
  readonly activation: string;
  readonly shape: readonly number[];
  readonly tally: Tally;
}

/** The report of what was counted. */
export function reportOf(noted: readonly Noted[], measures: boolean): ActivationReport {
  const layers = noted.map((one, index) => activityOf(one, index, measures));
  let [zeros, values, dead] = [0, 0, 0];
  for (const layer of layers) {
    zeros += layer.zeros;
    values += layer.values;
    dead += layer.deadUnits.length;
  }
  const perExample = once(() => pooled(layers));
  return {
    layers,
    zeroFraction: zeros / values,
    get perExample() {
      return perExample();
    },
    deadUnits: dead,
  };
}

function activityOf({ kernel, activation, shape, tally }: Noted, index: number, measures: boolean): LayerActivity {
  const { values, zeros, rows, active, measured, hoyer, gini } = tally;
  const unitActivity = new Float64Array(active.length);
  const deadUnits: number[] = [];
  for (let unit = 0; unit < active.length; unit++) {
    unitActivity[unit] = active[unit]! / rows;
    if (active[unit] === 0) deadUnits.push(unit);
  }
  const perToken = once(() => tally.perToken());
  return {
    index,
    kernel,
    activation,
    shape,
    values,
    zeros,
    zeroFraction: zeros / values,
    perExample: tally.perExample.slice(),
    get perToken() {
      return perToken();
    },
    unitActivity,
    deadUnits,
    hoyer: measures ? hoyer / measured : undefined,
    gini: measures ? gini / measured : undefined,
  };
}

/** Long lists are made when somebody asks: a report is read after every pass where a training is watched. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Share of zeros per example, layers weighted by their size. */
function pooled(layers: readonly LayerActivity[]): number[] {
  const count = layers[0]?.perExample.length ?? 0;
  if (layers.some(({ perExample }) => perExample.length !== count)) return [];
  const total = layers.reduce((values, layer) => values + layer.values, 0);
  const shares = new Array<number>(count).fill(0);
  for (const { perExample, values } of layers) {
    for (let i = 0; i < count; i++) shares[i]! += perExample[i]! * (values / total);
  }
  return shares;
}
