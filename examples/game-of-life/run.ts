import { lifeBoards, lifeSteps } from '@frugal/datasets';
import { atLeast, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { foldIn, key, treeDispose, treeSize, wilsonInterval } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { WINDOWS, windows } from './boards.ts';
import { type Family, initNets, logitsOf, type Nets } from './nets.ts';
import { teach, wrongCells } from './teach.ts';

const settings = {
  full: { nets: 64, updates: 4096, shares: { 1: 0.02, 3: 0.5 } },
  quick: { nets: 24, updates: 768, shares: { 1: 0, 3: 0.2 } },
};
const BOARD = { height: 18, width: 56, wrap: true };
const GENERATIONS = 40;

/** Sixty-four nets of the smallest size try to learn the Game of Life, then sixty-four of three times that. Most of the first fail. */
export async function runGameOfLife(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const { nets: count, updates, shares } = options.quick ? settings.quick : settings.full;
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}\n`);
  const learned: number[] = [];
  let winner: Float32Array | undefined;
  for (const times of [1, 3]) {
    const family: Family = { steps: 1, times, nets: count };
    const seed = foldIn(key(options.seed), times);
    const nets = await teach(family, initNets(family, foldIn(seed, 0)), {
      updates,
      boards: 8,
      density: 0.38,
      peak: 0.01,
      key: foldIn(seed, 1),
      watch: async (update, now) => {
        if (!io.live || update % 256 !== 0) return;
        const right = (await wrongCells(family, now, seed)).filter((wrong) => wrong === 0).length;
        io.frame(`${bar(update / updates)} ${right} of ${count} nets have it after ${update} updates`);
      },
    });
    const wrong = await wrongCells(family, nets, seed);
    const successes = wrong.filter((share) => share === 0).length;
    const { low, high } = wilsonInterval(successes, count);
    io.print(
      `${count} nets of ${treeSize(nets) / count} parameters, taught together: ${successes} know the rule for all ${WINDOWS} windows ` +
        `(95 % interval ${percent(low)} to ${percent(high)}).`,
    );
    learned.push(successes / count);
    const best = wrong.indexOf(0);
    if (best >= 0) winner = await tableOf(nets, best);
    treeDispose(nets);
  }
  io.print(
    'The smallest net could know the rule: its solution is written down in a test. Finding it is what takes size.\n',
  );
  const same = winner === undefined ? 0 : await play(winner, options, io);
  return [
    atLeast('nets of 25 parameters that learnt it', learned[0]!, shares[1], percent),
    atLeast('nets of 85 parameters that learnt it', learned[1]!, shares[3], percent),
    atLeast(`generations of ${GENERATIONS} that a net played as the rule has it`, same, GENERATIONS),
  ];
}

const bar = (share: number): string => '█'.repeat(Math.round(30 * share)).padEnd(30, '░');

/** What one net makes of each window. */
async function tableOf(nets: Nets, net: number): Promise<Float32Array> {
  const all = windows();
  const logits = logitsOf(nets, all);
  const values = (await logits.data()) as Float32Array;
  tf.dispose([all, logits]);
  return values.slice(net * WINDOWS, (net + 1) * WINDOWS).map((logit) => Number(logit > 0));
}

/** Lets the net play, and counts the generations in which it did as the rule does. */
async function play(table: Float32Array, options: ExampleOptions, io: Io): Promise<number> {
  let board = lifeBoards({ ...BOARD, size: 1, key: foldIn(key(options.seed), 9) });
  let same = 0;
  for (let generation = 1; generation <= GENERATIONS; generation++) {
    const next = byTable(board, table);
    if (lifeSteps(board, 1, BOARD).every((cell, i) => cell === next[i])) same++;
    board = next;
    if (io.live || generation === GENERATIONS) io.frame(`${drawn(board)}\ngeneration ${generation}, by the net`);
    await io.pause(70);
  }
  return same;
}

/** A generation as the net has it: each cell by its window, as the convolution looks at it. */
function byTable(board: Uint8Array, table: Float32Array): Uint8Array {
  const { height, width } = BOARD;
  return board.map((_, cell) => {
    const [row, column] = [Math.floor(cell / width), cell % width];
    let window = 0;
    for (let at = 0; at < 9; at++) {
      const y = (row + Math.floor(at / 3) - 1 + height) % height;
      const x = (column + (at % 3) - 1 + width) % width;
      window |= board[y * width + x]! << at;
    }
    return table[window]!;
  });
}

/** Two rows in a line of text. */
function drawn(board: Uint8Array): string {
  const { height, width } = BOARD;
  const pair = (row: number, column: number): string =>
    [' ', '▄', '▀', '█'][2 * board[row * width + column]! + board[(row + 1) * width + column]!]!;
  return Array.from({ length: height / 2 }, (_, i) =>
    Array.from({ length: width }, (_, column) => pair(2 * i, column)).join(''),
  ).join('\n');
}
