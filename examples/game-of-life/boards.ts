import { lifeBoards, lifeSteps } from '@frugal/datasets';
import { foldIn, type Key } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Side of the boards; opposite edges touch, so that every cell has nine neighbours, itself included. */
export const SIDE = 8;
export const CELLS = SIDE * SIDE;

/** All that a 3×3 window can show. */
export const WINDOWS = 512;

/** The windows themselves, [1, 512, 9]: bit i of a window's number is its i-th cell. */
export function windows(): tf.Tensor3D {
  const values = Float32Array.from({ length: WINDOWS * 9 }, (_, i) => (Math.floor(i / 9) >> (i % 9)) & 1);
  return tf.tensor3d(values, [1, WINDOWS, 9]);
}

/** What each window's middle cell becomes, [512]. */
export function rule(): Float32Array {
  const boards = Uint8Array.from({ length: WINDOWS * 9 }, (_, i) => (Math.floor(i / 9) >> (i % 9)) & 1);
  const next = lifeSteps(boards, 1, { height: 3, width: 3 });
  return Float32Array.from({ length: WINDOWS }, (_, window) => next[9 * window + 4]!);
}

/** The nine cells around each cell of a board, in the order of a window's bits. */
const around = Int32Array.from({ length: CELLS * 9 }, (_, i) => {
  const [cell, at] = [Math.floor(i / 9), i % 9];
  const row = (Math.floor(cell / SIDE) + Math.floor(at / 3) - 1 + SIDE) % SIDE;
  const column = ((cell % SIDE) + (at % 3) - 1 + SIDE) % SIDE;
  return row * SIDE + column;
});

/** The windows of every net's own boards, and what becomes of their cells. */
export interface BoardBatch {
  readonly nets: number;
  /** Cells that each net sees. */
  readonly cells: number;
  /** The number of each cell's window, net by net: [nets · cells]. */
  readonly seen: Int32Array;
  /** Alive or not after the steps, [nets · cells]; computed when asked for. */
  next(): Uint8Array;
}

/** New random boards, other ones for each net. */
export function drawBoards(
  key: Key,
  { nets, boards, steps, density }: { nets: number; boards: number; steps: number; density: number },
): BoardBatch {
  const size = nets * boards;
  const first = lifeBoards({ size, height: SIDE, width: SIDE, density, key: foldIn(key, 0) });
  const seen = new Int32Array(size * CELLS);
  for (let board = 0; board < size; board++) {
    const from = board * CELLS;
    for (let cell = 0, i = 0; cell < CELLS; cell++) {
      let window = 0;
      for (let at = 0; at < 9; at++, i++) window |= first[from + around[i]!]! << at;
      seen[from + cell] = window;
    }
  }
  const next = (): Uint8Array => lifeSteps(first, steps, { height: SIDE, width: SIDE, wrap: true });
  return { nets, cells: boards * CELLS, seen, next };
}

/** For every cell the rows of its nine neighbours: row `of[cell]` for cell numbers, or the cell itself. */
export function neighbourRows({ nets, cells, seen }: BoardBatch, fromWindows: boolean): Int32Array {
  const rows = new Int32Array(nets * cells * 9);
  let i = 0;
  for (let net = 0; net < nets; net++) {
    for (let cell = 0; cell < cells; cell++) {
      const board = net * cells + cell - (cell % CELLS);
      const here = 9 * (cell % CELLS);
      for (let at = 0; at < 9; at++) {
        const other = board + around[here + at]!;
        rows[i++] = fromWindows ? net * WINDOWS + seen[other]! : other;
      }
    }
  }
  return rows;
}
