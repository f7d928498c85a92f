// The pictures of docs/results/lr-probe.md, as Vega-Lite specifications.
import type { Picture } from '@frugal/lr-probe';
import { mean } from '@frugal/tensor';
import type { Case } from './run-case.ts';
import { lossOf, policiesOf, scoreOf } from './score.ts';

const schema = 'https://vega.github.io/schema/vega-lite/v6.json';
const config = {
  font: 'system-ui, sans-serif',
  axis: { grid: true, gridColor: '#eee', domainColor: '#bbb', labelColor: '#444', titleFontWeight: 'normal' },
  view: { stroke: '#ddd' },
  header: { titleFontSize: 0, labelFontSize: 11, labelFontWeight: 600 },
};
const sheet = (title: string) => ({
  $schema: schema,
  background: 'white',
  config,
  title: { text: title, anchor: 'start', fontSize: 14, offset: 10 },
});
const colours = { thorough: '#4269d0', quick: '#3ca951', table: '#ff725c' };
/** Below this gaps are shown alike: a linear axis near zero, a logarithmic one beyond. */
const NEAR = 1;

/** Every case as a dot: how far each policy's final loss lies above the grid's best. */
export function gapsPicture(cases: readonly Case[], title: string): Picture {
  const values = cases.flatMap((one) =>
    policiesOf(one).map((policy) => {
      const { gapSd } = scoreOf(one, policy);
      return { policy, optimizer: one.optimizer, task: one.task, gap: Math.max(-2, gapSd) };
    }),
  );
  const policies = [...new Set(values.map(({ policy }) => policy))];
  return {
    ...sheet(title),
    width: 560,
    height: { step: 26 },
    data: { values },
    layer: [
      {
        mark: { type: 'circle', size: 46, opacity: 0.65 },
        encoding: {
          x: {
            field: 'gap',
            type: 'quantitative',
            title: 'final loss above the best of the grid, in seed deviations',
            scale: { type: 'symlog', constant: NEAR },
            axis: { values: [-1, 0, 1, 3, 10, 30, 100, 300, 1000] },
          },
          y: { field: 'policy', type: 'nominal', title: null, sort: policies },
          color: {
            field: 'optimizer',
            type: 'nominal',
            title: null,
            legend: { orient: 'top' },
            scale: { domain: ['sgd', 'momentum', 'adamw'], range: ['#4269d0', '#efb118', '#ff725c'] },
          },
        },
      },
      {
        mark: { type: 'tick', color: 'black', thickness: 2, size: 20 },
        encoding: {
          x: { aggregate: 'median', field: 'gap', type: 'quantitative' },
          y: { field: 'policy', type: 'nominal', sort: policies },
        },
      },
    ],
  };
}

/** Final losses of the grid, a panel for each case, and where advice led. */
export function curvesPicture(cases: readonly Case[], title: string): Picture {
  const panels = cases.map((one) => {
    const { seeds, task, optimizer, steps } = one;
    const curve = seeds[0]!.grid.map(({ rate }, i) => {
      const losses = seeds.map((seed) => lossOf(seed.grid[i], seed));
      return { rate, loss: mean(losses) };
    });
    const best = Math.min(...curve.map(({ loss }) => loss));
    const picks = Object.keys(colours).flatMap((policy) =>
      seeds.flatMap((seed) => {
        const pick = seed.picks.find((other) => other.policy === policy);
        if (pick?.rate === undefined) return [];
        return [{ rate: pick.rate, loss: Math.max(best / 1.2, lossOf(pick.end, seed)), policy }];
      }),
    );
    const x = {
      field: 'rate',
      type: 'quantitative',
      title: null,
      scale: { type: 'log', nice: false },
      axis: { format: '~e', tickCount: 4 },
    };
    const y = {
      field: 'loss',
      type: 'quantitative',
      title: null,
      scale: { type: 'log', nice: false },
      axis: { tickCount: 4, format: '~g' },
    };
    return {
      title: { text: `${task}, ${optimizer}${steps > 300 ? `, ${steps}` : ''}`, fontSize: 11, anchor: 'start' },
      width: 190,
      height: 120,
      layer: [
        {
          data: { values: curve },
          mark: { type: 'line', color: '#9498a0', point: { size: 14, color: '#9498a0' } },
          encoding: { x, y },
        },
        {
          data: { values: picks },
          mark: { type: 'point', size: 40, opacity: 0.8, filled: false },
          encoding: {
            x,
            y,
            color: {
              field: 'policy',
              type: 'nominal',
              title: null,
              scale: { domain: Object.keys(colours), range: Object.values(colours) },
              legend: { orient: 'top' },
            },
          },
        },
      ],
    };
  });
  return {
    ...sheet(title),
    columns: 3,
    concat: panels,
  };
}

/** What a policy costs against what it loses: medians over cases. */
export function pricePicture(cases: readonly Case[], title: string): Picture {
  const free = new Set(['table', 'Schedule-Free', 'Prodigy']);
  const policies = [...new Set(cases.flatMap(policiesOf))].filter((policy) => !free.has(policy));
  const values = policies.map((policy) => {
    const scores = cases.filter((one) => policiesOf(one).includes(policy)).map((one) => scoreOf(one, policy));
    const middle = (of: (score: (typeof scores)[0]) => number): number =>
      scores.map(of).sort((a, b) => a - b)[scores.length >> 1]!;
    return {
      policy,
      cheaper: middle(({ cheaper }) => cheaper),
      gap: Math.max(
        0,
        middle(({ gapSd }) => gapSd),
      ),
    };
  });
  const encoding = {
    x: {
      field: 'cheaper',
      type: 'quantitative',
      title: 'cost of the grid ÷ cost of the advice',
      scale: { type: 'log' },
    },
    y: {
      field: 'gap',
      type: 'quantitative',
      title: 'median gap, seed deviations',
      scale: { type: 'symlog', constant: NEAR },
      axis: { values: [0, 1, 3, 10, 30, 100] },
    },
  };
  return {
    ...sheet(title),
    width: 480,
    height: 240,
    data: { values },
    layer: [
      { mark: { type: 'circle', size: 70, color: '#4269d0' }, encoding },
      {
        mark: { type: 'text', align: 'left', dx: 7, fontSize: 11 },
        encoding: { ...encoding, text: { field: 'policy' } },
      },
    ],
  };
}
