import { FrugalError, giniIndex, hoyerSparsity } from '@frugal/tensor';

/** How one activation's values are laid out: examples, positions within an example, units. */
export interface Layout {
  readonly examples: number;
  /** Tokens of a sequence, pixels of an image; 1 for a plain vector. */
  readonly positions: number;
  /** Size of the last axis: neurons or channels. */
  readonly units: number;
}

/**
 * The layout of a shape: axis 0 are the examples, the last axis the units, what is between the positions.
 *
 * With `examples` given, all rows are shared out evenly: right for tokens that were flattened into the first axis.
 */
export function layoutOf(shape: readonly number[], examples: number | undefined): Layout {
  const units = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const own = shape.length > 1 ? shape[0]! : 1;
  const count = examples ?? own;
  if (rows % count !== 0) {
    throw new FrugalError(
      'BAD_OPTION',
      `probe: examples is ${count}, but an activation of shape [${shape}] has ${rows} rows, which is no multiple. ` +
        'Leave examples out where the first axis is the batch.',
    );
  }
  return { examples: count, positions: count === 0 ? 0 : rows / count, units };
}

/** What is noted beside the counts. */
export interface TallyOptions {
  readonly threshold: number;
  readonly distributions: boolean;
  readonly measures: boolean;
}

/** What stays the same for all rows of a pass. */
interface Counting {
  readonly layout: Layout;
  readonly active: Int32Array;
  /** Bits of the largest magnitude that counts as zero. */
  readonly limit: number;
  readonly tokens: boolean;
}

/** The bits of the largest float32 that is not above `threshold`. */
function bitsBelow(threshold: number): number {
  const value = Float32Array.of(threshold);
  const bits = new Int32Array(value.buffer)[0]!;
  return value[0]! > threshold ? bits - 1 : bits;
}

/** The counts of one activation over all passes. */
export class Tally {
  values = 0;
  zeros = 0;
  passes = 0;
  rows = 0;
  hoyer = 0;
  gini = 0;
  measured = 0;
  readonly perExample: number[] = [];
  readonly perToken: number[] = [];
  /** How often each unit was not zero. */
  active: Float64Array = new Float64Array(0);

  add(data: Float32Array, layout: Layout, options: TallyOptions): void {
    const { examples, positions, units } = layout;
    if (this.passes === 0) this.active = new Float64Array(units);
    if (this.active.length !== units) {
      throw new FrugalError(
        'PROBE_MISMATCH',
        `probe: an activation with ${this.active.length} units in the first pass has ${units} in this one. ` +
          'Run one model with one probe; call reset() before another one.',
      );
    }
    this.passes++;
    this.rows += examples * positions;
    this.values += data.length;
    const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
    const limit = bitsBelow(options.threshold);
    const active = new Int32Array(units);
    for (let example = 0; example < examples; example++) {
      const zeros = this.#example(bits, example * positions, { layout, active, limit, tokens: options.distributions });
      this.zeros += zeros;
      if (options.distributions) this.perExample.push(zeros / (positions * units));
      if (options.measures)
        this.#measure(data.subarray(example * positions * units, (example + 1) * positions * units));
    }
    for (let unit = 0; unit < units; unit++) this.active[unit] = this.active[unit]! + active[unit]!;
  }

  /** Counts the zeros of an example's rows. */
  #example(bits: Int32Array, first: number, count: Counting): number {
    const { active, limit } = count;
    const { positions, units } = count.layout;
    const tokens = count.tokens && positions > 1;
    let zeros = 0;
    for (let row = first; row < first + positions; row++) {
      const start = row * units;
      let alive = 0;
      for (let unit = 0; unit < units; unit++) {
        // Magnitudes are ordered as their bits are, and NaN comes last: a broken model must not look sparse.
        // No branch: which value is zero cannot be predicted, and a comparison costs ten times as much.
        const on = (limit - (bits[start + unit]! & 0x7fffffff)) >>> 31;
        active[unit] = active[unit]! + on;
        alive += on;
      }
      zeros += units - alive;
      if (tokens) this.perToken.push((units - alive) / units);
    }
    return zeros;
  }

  #measure(values: Float32Array): void {
    if (values.length < 2) return;
    const hoyer = hoyerSparsity(values);
    if (Number.isNaN(hoyer)) return; // all zero: neither index is defined
    this.hoyer += hoyer;
    this.gini += giniIndex(values);
    this.measured++;
  }
}
