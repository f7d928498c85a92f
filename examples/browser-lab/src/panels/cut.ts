import { card, colour, element, percent } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { Cut } from '../protocol.ts';

/** Cuts the smallest weights of a copy, and asks what it still can. */
export const cutPanel: MakePanel = (lab) => {
  const share = element('input', { type: 'range', id: 'cut-share', min: 0, max: 98, value: 80 });
  const label = element('label', { for: 'cut-share' }, 'Cut 80 % of the weights');
  const go = element('button', { type: 'button' }, 'Cut a copy');
  const verdict = element('p', { 'aria-live': 'polite' });
  const figure = element('div');
  const root = card('cut', 'Cut', label, share, element('div', { class: 'row' }, go), verdict, figure);
  share.addEventListener('input', () => {
    label.textContent = `Cut ${share.value} % of the weights`;
  });

  async function show(cut: Cut): Promise<void> {
    verdict.textContent = `${percent(cut.before)} with ${cut.weights.toLocaleString('en')} weights, ${percent(cut.after)} with ${cut.left.toLocaleString('en')}.`;
    const Plot = await import('@observablehq/plot');
    const bars = (counts: readonly number[]) =>
      counts.map((count, i) => ({ from: cut.edges[i]!, to: cut.edges[i + 1]!, count }));
    const chart = Plot.plot({
      width: Math.max(240, figure.clientWidth),
      height: 170,
      style: { background: 'transparent', color: colour('ink') },
      x: { label: 'magnitude of a weight' },
      y: { label: 'how many', grid: true, tickFormat: 's' },
      marks: [
        Plot.rectY(bars(cut.counts), { x1: 'from', x2: 'to', y: 'count', fill: colour('line') }),
        Plot.rectY(bars(cut.kept), { x1: 'from', x2: 'to', y: 'count', fill: colour('a') }),
      ],
      ariaLabel: 'Weights by magnitude, before and after the cut',
    });
    figure.replaceChildren(chart);
  }

  go.addEventListener('click', async () => {
    go.disabled = true;
    try {
      await show(await lab.ask<Cut>({ what: 'cut', share: Number(share.value) / 100 }));
    } catch (error) {
      verdict.textContent = (error as Error).message;
    }
    go.disabled = false;
  });
  return {
    root,
    reset() {
      verdict.textContent = '';
      figure.replaceChildren();
    },
  };
};
