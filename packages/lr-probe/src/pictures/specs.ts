import type { Recommendation } from '../advice/probe.ts';
import type { SpectralDensity } from '../curvature/density.ts';
import type { CriticalRate } from '../probes/critical-rate.ts';
import type { Miniature } from '../probes/miniature.ts';
import type { RangeTest } from '../probes/range-test.ts';
import type { SharpnessPoint } from '../trackers/sharpness.ts';

/** A picture as a Vega-Lite specification: plain data, drawn by `drawSvg`, vega-embed, or anything else that knows the grammar. */
export type Picture = Readonly<Record<string, unknown>>;

const schema = 'https://vega.github.io/schema/vega-lite/v6.json';
const ink = { line: '#4269d0', second: '#ff725c', third: '#3ca951', faint: '#9498a0' };
const frame = { $schema: schema, width: 460, height: 260, background: 'white' };
const config = {
  font: 'system-ui, sans-serif',
  axis: {
    grid: true,
    gridColor: '#eee',
    domainColor: '#bbb',
    labelColor: '#444',
    titleColor: '#222',
    titleFontWeight: 'normal',
  },
  view: { stroke: null },
  title: { anchor: 'start', fontSize: 14, fontWeight: 600, offset: 12 },
};

const x = (field: string, title: string, log: boolean, more: object = {}) => ({
  field,
  type: 'quantitative',
  title,
  scale: { type: log ? 'log' : 'linear', nice: false, ...(log ? {} : { zero: false }) },
  ...(log ? { axis: { format: '~e', labelOverlap: true } } : {}),
  ...more,
});
const y = (field: string, title: string, more: object = {}) => ({
  field,
  type: 'quantitative',
  title,
  scale: { zero: false, ...more },
});

/** Upright lines with their names on top. */
function marks(
  values: readonly { at: number; name: string; level: number }[],
  axis: object,
  side: 'left' | 'right' = 'left',
): object[] {
  const shared = { data: { values }, encoding: { x: axis } };
  return [
    { ...shared, mark: { type: 'rule', color: ink.second, strokeDash: [4, 3] } },
    {
      ...shared,
      mark: { type: 'text', align: side, dx: side === 'left' ? 4 : -4, fontSize: 11, color: ink.second },
      encoding: { x: axis, y: { field: 'level', type: 'quantitative' }, text: { field: 'name' } },
    },
  ];
}

/** The curve of a range test, as measured and smoothed, with the pick of every rule. */
export function rangeTestPicture({ points, smoothed, suggestions }: RangeTest): Picture {
  const losses = smoothed.map(({ loss }) => loss);
  const [lowest, start] = [Math.min(...losses), losses[0] ?? 0];
  const ceiling = start + 0.5 * (start - lowest || 1);
  const rules = Object.entries(suggestions).filter((entry): entry is [string, number] => entry[1] !== undefined);
  const picks = rules.map(([name, at], i) => ({ at, name, level: ceiling - (i + 0.5) * 0.08 * (ceiling - lowest) }));
  const rate = x('rate', 'learning rate', true);
  const axis = y('loss', 'loss', { domain: [lowest - 0.05 * (ceiling - lowest), ceiling] });
  return {
    ...frame,
    config,
    title: 'Range test',
    layer: [
      {
        data: { values: points.filter(({ loss }) => Number.isFinite(loss)) },
        mark: { type: 'point', clip: true, size: 12, filled: true, color: ink.faint, opacity: 0.6 },
        encoding: { x: rate, y: axis },
      },
      {
        data: { values: smoothed },
        mark: { type: 'line', clip: true, color: ink.line, strokeWidth: 2 },
        encoding: { x: rate, y: axis },
      },
      ...marks(picks, x('at', 'learning rate', true)),
    ],
  };
}

/** The loss along the optimizer's update, with η_c. */
export function linePicture({ points, loss, rate, bracket }: CriticalRate): Picture {
  const near = points.filter((point) => Number.isFinite(point.loss) && point.rate <= 4 * bracket[1]);
  const values = [{ rate: 0, loss }, ...near];
  const highest = Math.max(...values.map((point) => point.loss));
  const axis = x('rate', 'learning rate along the update', false);
  return {
    ...frame,
    config,
    title: 'Loss along the update',
    layer: [
      {
        data: { values },
        mark: { type: 'line', point: { filled: true, size: 30 }, color: ink.line, interpolate: 'monotone' },
        encoding: { x: axis, y: y('loss', 'loss') },
      },
      { data: { values: [{ loss }] }, mark: { type: 'rule', color: ink.faint }, encoding: { y: y('loss', 'loss') } },
      ...marks([{ at: rate, name: `η_c = ${rate.toPrecision(3)}`, level: highest }], x('at', '', false), 'right'),
    ],
  };
}

/** Where short copies of the run ended, and the rate that is recommended. */
export function miniaturesPicture({ evidence, rate }: Pick<Recommendation, 'evidence' | 'rate'>): Picture {
  const runs: readonly Miniature[] = evidence.miniatures ?? [];
  const ended = runs.filter(({ diverged }) => !diverged).map((run) => ({ rate: run.rate, loss: run.loss }));
  const highest = Math.max(...ended.map(({ loss }) => loss));
  const diverged = runs
    .filter((run) => run.diverged)
    .map((run) => ({ rate: run.rate, loss: highest, name: 'diverged' }));
  const axis = x('rate', 'learning rate at the peak', true);
  return {
    ...frame,
    config,
    title: 'Miniature runs',
    layer: [
      {
        data: { values: ended },
        mark: { type: 'line', point: { filled: true, size: 50 }, color: ink.line },
        encoding: { x: axis, y: y('loss', 'final loss') },
      },
      {
        data: { values: diverged },
        mark: { type: 'text', text: '✕ diverged', align: 'right', dx: -2, fontSize: 12, color: ink.faint },
        encoding: { x: axis, y: y('loss', 'final loss') },
      },
      ...marks([{ at: rate, name: `recommended: ${rate.toPrecision(2)}`, level: highest }], x('at', '', true)),
    ],
  };
}

/** Sharpness along a run, against what the optimizer bears; where the rate is near 0 that leaves the picture. */
export function sharpnessPicture(points: readonly SharpnessPoint[]): Picture {
  const values = points.flatMap(({ step, sharpness, threshold }) => [
    { step, value: sharpness, what: 'sharpness' },
    ...(Number.isFinite(threshold) ? [{ step, value: threshold, what: 'stability threshold' }] : []),
  ]);
  const [seen, borne] = [points.map(({ sharpness }) => sharpness), points.map(({ threshold }) => threshold)];
  const lowestBorne = Math.min(...borne.filter(Number.isFinite));
  const top = 1.5 * Math.max(...seen, Number.isFinite(lowestBorne) ? lowestBorne : 0);
  const least = Math.min(...seen, lowestBorne);
  // Adam's first steps are thousands of times sharper than its last.
  const scale =
    least > 0 && top > 50 * least
      ? { type: 'log', domain: [least / 1.5, top] }
      : { domain: [Math.min(0, ...seen), top] };
  return {
    ...frame,
    config,
    title: 'Sharpness along the run',
    data: { values },
    mark: { type: 'line', strokeWidth: 2, clip: true },
    encoding: {
      x: x('step', 'step', false),
      y: { ...y('value', 'largest eigenvalue'), scale, axis: { format: '~g', labelOverlap: true } },
      color: {
        field: 'what',
        type: 'nominal',
        title: null,
        scale: { domain: ['sharpness', 'stability threshold'], range: [ink.line, ink.second] },
        legend: { orient: 'top' },
      },
    },
  };
}

/** The spectrum of a Hessian: its density on a logarithmic axis. */
export function spectrumPicture({ nodes, at }: SpectralDensity): Picture {
  const [least, most] = [nodes[0]?.value ?? 0, nodes.at(-1)?.value ?? 1];
  const span = most - least || 1;
  const places = Array.from({ length: 300 }, (_, i) => least + ((i - 15) / 270) * span);
  const densities = at(places, span / 100);
  const floor = Math.max(...densities) * 1e-6;
  const values = places.map((value, i) => ({ value, density: Math.max(floor, densities[i]!) }));
  return {
    ...frame,
    config,
    title: 'Spectrum of the Hessian',
    data: { values },
    mark: { type: 'area', color: ink.line, opacity: 0.7, line: { color: ink.line } },
    encoding: {
      x: x('value', 'eigenvalue', false),
      y: {
        field: 'density',
        type: 'quantitative',
        title: 'density',
        scale: { type: 'log', nice: false },
        axis: { format: '~e', tickCount: 5 },
        stack: null,
      },
    },
  };
}
