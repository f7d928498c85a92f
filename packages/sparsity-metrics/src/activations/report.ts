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
  const layers = noted.map(({ kernel, activation, shape, tally }, index): LayerActivity => {
    const { values, zeros, rows, active, perExample, measured, hoyer, gini } = tally;
    let tokens: readonly number[] | undefined;
    const unitActivity = active.map((count) => count / rows);
    return {
      index,
      kernel,
      activation,
      shape,
      values,
      zeros,
      zeroFraction: zeros / values,
      perExample: [...perExample],
      // Made when somebody asks: an image has thousands of pixels.
      get perToken() {
        tokens ??= tally.perToken();
        return tokens;
      },
      unitActivity,
      deadUnits: Array.from(active.keys()).filter((unit) => active[unit] === 0),
      hoyer: measures ? hoyer / measured : undefined,
      gini: measures ? gini / measured : undefined,
    };
  });
  const sum = (of: (layer: LayerActivity) => number): number => layers.reduce((total, layer) => total + of(layer), 0);
  return {
    layers,
    zeroFraction: sum(({ zeros }) => zeros) / sum(({ values }) => values),
    perExample: pooled(layers),
    deadUnits: sum(({ deadUnits }) => deadUnits.length),
  };
}

/** Share of zeros per example, layers weighted by their size. */
function pooled(layers: readonly LayerActivity[]): number[] {
  const count = layers[0]?.perExample.length ?? 0;
  if (layers.some(({ perExample }) => perExample.length !== count)) return [];
  const total = layers.reduce((values, layer) => values + layer.values, 0);
  return Array.from({ length: count }, (_, i) =>
    layers.reduce((share, { perExample, values }) => share + perExample[i]! * (values / total), 0),
  );
}
