import type uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { card, colour, element } from '../dom.ts';
import type { MakePanel } from '../panel.ts';

/** Points that are drawn; beyond that neighbours become one. */
const MOST = 1500;

/** The loss as it falls, smoothed, and the accuracy on data that was not learnt from. */
export const lossPanel: MakePanel = () => {
  const holder = element('div');
  const text = element('p', { class: 'hint', id: 'loss-text' }, 'Nothing yet.');
  const root = card('loss', 'Loss', holder, text);
  let steps: number[] = [];
  let losses: number[] = [];
  let values: (number | null)[] = [];
  let [average, weight, stride, seen, metric] = [0, 0, 1, 0, ''];
  let plot: uPlot | undefined;
  /** Comes with the first points: the run begins without it. */
  let Plot: typeof uPlot | undefined;
  let due = false;

  function draw(): void {
    if (Plot === undefined) return;
    plot?.destroy();
    const axis = { stroke: colour('faint'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false } };
    // Lines at powers of ten only.
    const powers = (_: uPlot, splits: number[]) =>
      splits.map((split) => (Math.abs(Math.log10(split) % 1) < 1e-6 ? split : null));
    const shares = (_: uPlot, splits: number[]) => splits.map((share) => `${Math.round(100 * share)} %`);
    plot = new Plot(
      {
        width: Math.max(240, holder.clientWidth),
        height: 230,
        cursor: { y: false },
        legend: { live: false },
        scales: { x: { time: false }, y: { distr: 3 }, share: { range: [0, 1] } },
        axes: [
          axis,
          { ...axis, size: 56, grid: { ...axis.grid, filter: powers } },
          { ...axis, size: 56, scale: 'share', side: 1, grid: { show: false }, values: shares },
        ],
        series: [
          { label: 'step' },
          { label: 'loss (smoothed)', stroke: colour('b'), width: 2 },
          { label: metric, scale: 'share', stroke: colour('a'), width: 2, spanGaps: true, points: { show: false } },
        ],
      },
      [steps, losses, values],
      holder,
    );
  }

  /** Halves the points, old and future ones alike, so that the beginning stays as fine as the rest. */
  function thin(): void {
    if (steps.length <= MOST) return;
    stride *= 2;
    const keep = (_: unknown, i: number): boolean => i % 2 === 1 || values[i] !== null;
    [steps, losses, values] = [steps.filter(keep), losses.filter(keep), values.filter(keep)];
  }

  function show(): void {
    if (due) return;
    due = true;
    requestAnimationFrame(async () => {
      Plot ??= (await import('uplot')).default;
      due = false;
      thin();
      if (plot === undefined) draw();
      else plot.setData([steps, losses, values]);
    });
  }

  new ResizeObserver(() => plot?.setSize({ width: Math.max(240, holder.clientWidth), height: 230 })).observe(holder);
  return {
    root,
    reset(run) {
      [steps, losses, values, average, weight, stride, seen] = [[], [], [], 0, 0, 1, 0];
      metric = run?.metric ?? metric;
      plot?.destroy();
      plot = undefined;
    },
    tick(tick) {
      for (const [i, loss] of tick.losses.entries()) {
        average = 0.97 * average + 0.03 * loss;
        weight = 0.97 * weight + 0.03;
        if (seen++ % stride !== 0) continue;
        steps.push(tick.steps[i]!);
        losses.push(average / weight);
        values.push(null);
      }
      show();
    },
    evaluation(step, value) {
      if (values.length === 0) return;
      values[values.length - 1] = value;
      text.textContent = `Step ${step.toLocaleString('en')}: loss ${losses.at(-1)!.toPrecision(3)}, ${(100 * value).toFixed(1)} % ${metric}.`;
      show();
    },
    saved: () => ({ steps, losses, values, metric }),
    repaint: draw,
  };
};
