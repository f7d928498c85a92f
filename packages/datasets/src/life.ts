import { type Dataset, foldIn, type Key, type Labelled } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { rowDataset } from './epoch.ts';
import { checkCount, DataArgumentError } from './errors.ts';
import type { Examples } from './examples.ts';
import { uniforms } from './host-random.ts';

/** The shape of boards and the rule's edge. */
export interface LifeBoardOptions {
  /** Cells. */
  readonly height: number;
  /** Cells. */
  readonly width: number;
  /** Whether opposite edges touch. Default: false, all is dead outside (as a zero-padded convolution sees it). */
  readonly wrap?: boolean;
}

/**
 * Conway's Game of Life, `steps` times: a live cell with 2 or 3 live neighbours lives on, a dead one with 3 is born.
 *
 * @param boards One board or several, one byte a cell, 1 alive, 0 dead; any multiple of height · width.
 * @param steps ≥ 0.
 * @returns New boards.
 */
export function lifeSteps(boards: Uint8Array, steps: number, options: LifeBoardOptions): Uint8Array {
  const { height, width } = options;
  checkCount('steps', steps, 0);
  checkCount('height', height);
  checkCount('width', width);
  if (boards.length % (height * width) !== 0) {
    throw new DataArgumentError(`boards have ${boards.length} cells, no multiple of ${height} · ${width}.`);
  }
  let now = boards.slice();
  let next = new Uint8Array(boards.length);
  for (let step = 0; step < steps; step++) {
    for (let from = 0; from < now.length; from += height * width) stepBoard(now, next, from, options);
    [now, next] = [next, now];
  }
  return now;
}

function stepBoard(now: Uint8Array, next: Uint8Array, from: number, options: LifeBoardOptions): void {
  const { height, width, wrap = false } = options;
  const sides = new Int32Array(width);
  const left = (column: number): number => (column > 0 ? column - 1 : wrap ? width - 1 : -1);
  const right = (column: number): number => (column < width - 1 ? column + 1 : wrap ? 0 : -1);
  for (let row = 0; row < height; row++) {
    // Sums over the three rows first, then over three of these sums: 4 additions a cell instead of 8.
    sides.fill(0);
    for (let d = -1; d <= 1; d++) {
      const other = wrap ? (row + d + height) % height : row + d;
      if (other < 0 || other >= height) continue;
      for (let column = 0; column < width; column++) sides[column]! += now[from + other * width + column]!;
    }
    for (let column = 0; column < width; column++) {
      const cell = from + row * width + column;
      const alive = now[cell]!;
      const neighbours = (sides[left(column)] ?? 0) + sides[column]! + (sides[right(column)] ?? 0) - alive;
      next[cell] = neighbours === 3 || (neighbours === 2 && alive === 1) ? 1 : 0;
    }
  }
}

/** How boards are drawn and asked about. */
export interface LifeOptions extends LifeBoardOptions {
  /** How many boards. */
  readonly size: number;
  /** How many steps lie between input and target. Default: 1. */
  readonly steps?: number;
  /** Probability that a cell is alive. Default: 0.38, with which small nets learn best (arXiv 2009.01398). */
  readonly density?: number;
  readonly key: Key;
}

/** Random boards of independent cells, one byte a cell: `size` · `height` · `width` of them. */
export function lifeBoards(options: Omit<LifeOptions, 'steps' | 'wrap'>): Uint8Array {
  const { size, height, width, density = 0.38, key } = options;
  checkCount('size', size);
  checkCount('height', height);
  checkCount('width', width);
  if (!(density >= 0 && density <= 1)) throw new DataArgumentError(`density is ${density}. Pass a probability.`);
  const drawn = uniforms(key, size * height * width);
  const cells = new Uint8Array(drawn.length);
  // A loop: `from` with a function takes ten times as long.
  for (let i = 0; i < cells.length; i++) cells[i] = drawn[i]! < density ? 1 : 0;
  return cells;
}

/** A fixed set of random boards `[H, W, 1]` with what they are after `steps` steps, of the same shape. */
export function lifeExamples(options: LifeOptions): Examples<Uint8Array, Uint8Array> {
  const { size, height, width, steps = 1 } = options;
  const x = lifeBoards(options);
  const shape = [height, width, 1];
  return { size, x, shape, y: lifeSteps(x, steps, options), targetShape: shape };
}

/**
 * New random boards in every batch of every epoch, made as they are needed: no board is seen twice.
 *
 * `x` and `y` are float32 `[B, H, W, 1]` with zeros and ones; `size` boards make an epoch.
 */
export function lifeDataset(options: Omit<LifeOptions, 'key'> & { readonly batchSize: number }): Dataset<Labelled> {
  const { height, width, steps = 1, batchSize } = options;
  return rowDataset(options.size, { batchSize, shuffle: false }, (rows, drawKey) => {
    const x = lifeBoards({ ...options, size: rows.length, key: foldIn(drawKey, rows[0]! / batchSize) });
    const shape = [rows.length, height, width, 1];
    const tensor = (boards: Uint8Array): tf.Tensor => tf.tensor(Float32Array.from(boards), shape, 'float32');
    return { x: tensor(x), y: tensor(lifeSteps(x, steps, options)) };
  });
}
