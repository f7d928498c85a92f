import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { lifeBoards, lifeDataset, lifeExamples, lifeSteps } from './life.ts';

const key = { hi: 7, lo: 8 };
const board = (...lines: string[]): Uint8Array => Uint8Array.from([...lines.join('')], (c) => (c === '#' ? 1 : 0));

/** The rule by its definition, one cell at a time. */
function plainStep(cells: Uint8Array, height: number, width: number, wrap: boolean): Uint8Array {
  return cells.map((alive, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    let neighbours = 0;
    for (const [dr, dc] of [
      [-1, -1],
      [-1, 0],
      [-1, 1],
      [0, -1],
      [0, 1],
      [1, -1],
      [1, 0],
      [1, 1],
    ] as const) {
      let [r, c] = [row + dr, column + dc];
      if (wrap) [r, c] = [(r + height) % height, (c + width) % width];
      if (r >= 0 && r < height && c >= 0 && c < width) neighbours += cells[r * width + c]!;
    }
    return neighbours === 3 || (neighbours === 2 && alive === 1) ? 1 : 0;
  });
}

describe('lifeSteps', () => {
  test('a blinker blinks, a block stays, a glider glides', () => {
    const size = { height: 5, width: 5 };
    const blinker = board('.....', '..#..', '..#..', '..#..', '.....');
    expect(lifeSteps(blinker, 1, size)).toEqual(board('.....', '.....', '.###.', '.....', '.....'));
    expect(lifeSteps(blinker, 2, size)).toEqual(blinker);
    const block = board('##...', '##...', '.....', '.....', '.....');
    expect(lifeSteps(block, 9, size)).toEqual(block);
    const glider = board('.#...', '..#..', '###..', '.....', '.....');
    expect(lifeSteps(glider, 4, size)).toEqual(board('.....', '..#..', '...#.', '.###.', '.....'));
    expect(lifeSteps(glider, 20, { ...size, wrap: true })).toEqual(glider);
  });

  test.each([false, true])('equals the rule on random boards of many shapes (wrap: %s)', (wrap) => {
    for (const [height, width] of [
      [3, 3],
      [7, 4],
      [4, 9],
      [16, 16],
    ] as const) {
      const x = lifeBoards({ size: 5, height, width, key });
      const once = lifeSteps(x, 1, { height, width, wrap });
      for (let b = 0; b < 5; b++) {
        const part = (cells: Uint8Array): Uint8Array => cells.subarray(b * height * width, (b + 1) * height * width);
        expect(part(once)).toEqual(plainStep(part(x), height, width, wrap));
      }
      expect(lifeSteps(x, 3, { height, width, wrap })).toEqual(
        lifeSteps(lifeSteps(once, 1, { height, width, wrap }), 1, { height, width, wrap }),
      );
    }
  });

  test('refuses what is no board', () => {
    expect(() => lifeSteps(new Uint8Array(10), 1, { height: 3, width: 3 })).toThrow(/no multiple of 3 · 3/);
    expect(() => lifeBoards({ size: 1, height: 2, width: 2, density: 2, key })).toThrow(/density is 2/);
  });
});

test('boards have the asked density', () => {
  const cells = lifeBoards({ size: 100, height: 32, width: 32, key });
  const alive = cells.reduce((sum, cell) => sum + cell, 0) / cells.length;
  // Four standard deviations of a mean of 102,400 cells.
  expect(Math.abs(alive - 0.38)).toBeLessThan(4 * Math.sqrt((0.38 * 0.62) / cells.length));
});

test('examples pair a board with its future', () => {
  const { x, y, shape, targetShape } = lifeExamples({ size: 4, height: 6, width: 5, steps: 2, key });
  expect([shape, targetShape]).toEqual([
    [6, 5, 1],
    [6, 5, 1],
  ]);
  expect(y).toEqual(lifeSteps(x, 2, { height: 6, width: 5 }));
});

describeEachBackend('lifeDataset', () => {
  async function read(epoch: number, from = 0): Promise<string[]> {
    const out: string[] = [];
    const dataset = lifeDataset({ size: 10, batchSize: 4, height: 5, width: 5 });
    for await (const { x, y } of dataset.batches({ key, epoch, from })) {
      expect([x.shape.slice(1), x.dtype]).toEqual([[5, 5, 1], 'float32']);
      const cells = Uint8Array.from(await x.data());
      expect(Uint8Array.from(await y.data())).toEqual(lifeSteps(cells, 1, { height: 5, width: 5 }));
      for (let i = 0; i < cells.length; i += 25) out.push(cells.subarray(i, i + 25).join(''));
      tf.dispose([x, y]);
    }
    return out;
  }

  test('makes new boards all the time, the same for the same key, and resumes', async () => {
    const first = await read(0);
    expect(new Set([...first, ...(await read(1))]).size).toBe(20);
    expect(await read(0)).toEqual(first);
    expect(await read(0, 2)).toEqual(first.slice(8));
    await expectNoLeak(() => read(0));
  });
});
