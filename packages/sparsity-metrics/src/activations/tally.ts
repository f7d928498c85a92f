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

/** What of a pass is kept. */
export interface Noted {
  readonly layout: Layout;
  readonly byExample: boolean;
  readonly byPosition: boolean;
}

/** How many values are not zero, by row and by column, where a row is a position with its units, or a whole example. */
export interface Counts {
  readonly alive: Int32Array;
  readonly active: Int32Array;
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
  /** Values per row that are not zero, of each pass; shares are made of them when somebody asks. */
  readonly rowCounts: Int32Array[] = [];
  /** How often each unit was not zero. */
  active: Float64Array = new Float64Array(0);

  /** Adds what a pass showed. */
  add({ alive, active }: Counts, { layout, byExample, byPosition }: Noted): void {
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
    this.values += examples * positions * units;
    for (let column = 0, unit = 0; column < active.length; column++) {
      this.active[unit]! += active[column]!;
      if (++unit === units) unit = 0;
    }
    const rows = alive.length / examples;
    for (let example = 0, row = 0; example < examples; example++) {
      let zeros = positions * units;
      for (const end = row + rows; row < end; row++) zeros -= alive[row]!;
      this.zeros += zeros;
      if (byExample) this.perExample.push(zeros / (positions * units));
    }
    if (byPosition) this.rowCounts.push(alive);
  }

  /** Adds Hoyer's and the Gini index of each example. */
  measure(data: Float32Array, { examples }: Layout): void {
    const size = data.length / examples;
    for (let from = 0; from < data.length; from += size) this.#measure(data.subarray(from, from + size));
  }

  /** Share of zeros per position, of the passes that kept it. */
  perToken(): number[] {
    const units = this.active.length;
    return this.rowCounts.flatMap((alive) => Array.from(alive, (count) => (units - count) / units));
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

/** Rows that are counted before the next columns: a tile of them stays in the cache. */
const TILE = 32;

/**
 * Which magnitudes are above a threshold, by row and by unit, on the host.
 *
 * Magnitudes are ordered as their bits are, and NaN comes last: a broken model must not look sparse. No branch, as which value is zero
 * cannot be predicted; eight columns at a time, whose sums then stay in registers: half the time of a plain loop.
 */
export function countOnHost(data: Float32Array, units: number, threshold: number): Counts {
  const rows = data.length / units;
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
  const limit = bitsBelow(threshold);
  const [alive, active] = [new Int32Array(rows), new Int32Array(units)];
  const mask = 0x7fffffff;
  for (let top = 0; top < rows; top += TILE) {
    const end = Math.min(rows, top + TILE);
    let u = 0;
    for (; u + 8 <= units; u += 8) {
      let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let row = top, at = top * units + u; row < end; row++, at += units) {
        const on0 = (limit - (bits[at]! & mask)) >>> 31;
        const on1 = (limit - (bits[at + 1]! & mask)) >>> 31;
        const on2 = (limit - (bits[at + 2]! & mask)) >>> 31;
        const on3 = (limit - (bits[at + 3]! & mask)) >>> 31;
        const on4 = (limit - (bits[at + 4]! & mask)) >>> 31;
        const on5 = (limit - (bits[at + 5]! & mask)) >>> 31;
        const on6 = (limit - (bits[at + 6]! & mask)) >>> 31;
        const on7 = (limit - (bits[at + 7]! & mask)) >>> 31;
        a += on0;
        b += on1;
        c += on2;
        d += on3;
        e += on4;
        f += on5;
        g += on6;
        h += on7;
        alive[row]! += on0 + on1 + on2 + on3 + on4 + on5 + on6 + on7;
      }
      active[u]! += a;
      active[u + 1]! += b;
      active[u + 2]! += c;
      active[u + 3]! += d;
      active[u + 4]! += e;
      active[u + 5]! += f;
      active[u + 6]! += g;
      active[u + 7]! += h;
    }
    for (; u < units; u++) {
      let column = 0;
      for (let row = top, at = top * units + u; row < end; row++, at += units) {
        const on = (limit - (bits[at]! & mask)) >>> 31;
        column += on;
        alive[row]! += on;
      }
      active[u]! += column;
    }
  }
  return { alive, active };
}
