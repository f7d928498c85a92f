// Draws docs/results/sparsity-game-of-life.svg from runs/results/game-of-life.json; runs/game-of-life.sh ends with it.
import { type Curve, curvesSvg } from '@frugal/sparsity-metrics';
import { readData, writePicture } from '../../../benchmarks/support/page.ts';

const { figures } = readData<{ figures: Readonly<Record<string, number>> }>('game-of-life', 'runs/results');

/** Shares of nets that learnt it, with their intervals; `names` are keys of the figures. */
const curve = (name: string, names: Readonly<Record<string, number>>, draw?: Curve['draw']): Curve => ({
  name,
  points: Object.entries(names).map(([key, x]) => [x, 100 * figures[key]!] as const),
  spread: Object.keys(names).map((key) => [100 * figures[`${key}_low`]!, 100 * figures[`${key}_high`]!] as const),
  ...(draw && { draw }),
});

const svg = curvesSvg(
  [
    curve('one step', { n1_m1: 1, n1_m2: 2, n1_m3: 3, n1_m4: 4 }),
    curve('two steps', { n2_m1: 1.03, n2_m2: 2.03, n2_m4: 4.03 }),
    curve('three steps', { n3_m4: 4.06 }, 'points'),
    curve('one, cut from m = 4', { n1_m4_cut_to_m1: 0.97 }, 'points'),
  ],
  {
    title: 'How many of 64 small nets learn the Game of Life',
    xLabel: 'm: units ÷ those of the smallest net that can know the rule',
    yLabel: 'nets that learnt it, %',
    yRange: [0, 100],
    xTicks: [1, 2, 3, 4],
  },
);
writePicture('sparsity-game-of-life', svg);
