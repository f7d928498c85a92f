// Draws docs/results/sparsity-prune-lenet300.svg from docs/results/prune-lenet300.json; runs/prune-lenet300.sh ends with it.
import { curvesSvg } from '@frugal/sparsity-metrics';
import { mean, standardDeviation } from '@frugal/tensor';
import { readData, writePicture } from '../../../benchmarks/support/page.ts';

interface Seed {
  readonly 'error dense': number;
  readonly 'error cut': number;
  readonly 'times fewer': number;
  readonly 'validation errors': readonly number[];
}

const { seeds, longer } = readData<{ seeds: readonly Seed[]; longer: readonly { dense: number }[] }>('prune-lenet300');
const rounds = seeds[0]!['validation errors'].length - 1;
const timesFewer = seeds[0]!['times fewer'];
/** Weights left after a round, in %: each cuts the same share of what is left. */
const left = (round: number): number => 100 * timesFewer ** (-round / rounds);
const points = (at: readonly number[], errors: readonly (readonly number[])[]) => ({
  points: at.map((x, i) => [x, 100 * mean(errors[i]!)] as const),
  spread: errors.map((own) => 100 * standardDeviation(own)),
});
const all = Array.from({ length: rounds + 1 }, (_, round) => round);
const svg = curvesSvg(
  [
    {
      name: 'validation images',
      ...points(
        all.map(left),
        all.map((round) => seeds.map((seed) => seed['validation errors'][round]!)),
      ),
    },
    {
      name: 'test images',
      ...points(
        [100, left(rounds)].map((x) => 1.03 * x), // beside the others, or the bars would hide each other
        [seeds.map((seed) => seed['error dense']), seeds.map((seed) => seed['error cut'])],
      ),
      draw: 'points',
    },
    { name: 'test, dense, as long', ...points([108], [longer.map(({ dense }) => dense)]), draw: 'points' },
  ],
  {
    title: 'LeNet-300-100 cut to a twelfth: mean and spread of five seeds',
    xLabel: 'weights left, %',
    yLabel: 'error, %',
    logX: true,
    yRange: [1.3, 1.9],
    xTicks: all.map((round) => Number(left(round).toPrecision(3))),
  },
);
writePicture('sparsity-prune-lenet300', svg);
