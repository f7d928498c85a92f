import { card, colour, element, percent, picture } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { Cut } from '../protocol.ts';
import { weightPictures } from './weights.ts';

/** Pause between two cuts while training goes on. */
const REST_MS = 1500;

/** Cuts the smallest weights of a copy, again and again while training goes on, and shows what is left and what it still can. */
export const cutPanel: MakePanel = (lab) => {
  const share = element('input', { type: 'range', id: 'cut-share', min: 0, max: 99, value: lab.config.cut });
  const label = element('label', { for: 'cut-share' });
  const verdict = element('p');
  const pictures = element('div');
  const figure = element('div');
  const root = card('cut', 'Cut', label, share, verdict, pictures, figure);
  let asking = false;
  let again = false;
  let asked = 0;
  let answered = Number.NEGATIVE_INFINITY;
  let last: Cut | undefined;

  async function draw({ edges, counts, kept }: Cut): Promise<void> {
    const Plot = await import('@observablehq/plot');
    const bars = (heights: readonly number[]) =>
      heights.map((count, i) => ({ from: edges[i]!, to: edges[i + 1]!, count }));
    const chart = Plot.plot({
      width: Math.max(240, figure.clientWidth),
      height: 150,
      style: { background: 'transparent', color: colour('ink') },
      x: { label: 'magnitude of a weight' },
      y: { label: 'how many', grid: true, tickFormat: 's' },
      marks: [
        Plot.rectY(bars(counts), { x1: 'from', x2: 'to', y: 'count', fill: colour('line') }),
        Plot.rectY(bars(kept), { x1: 'from', x2: 'to', y: 'count', fill: colour('a') }),
      ],
      ariaLabel: 'Weights by magnitude, before and after the cut',
    });
    figure.replaceChildren(picture(chart));
  }

  function show(cut: Cut): void {
    last = cut;
    const [all, left] = [cut.weights.toLocaleString('en'), cut.left.toLocaleString('en')];
    verdict.textContent = `${percent(cut.before)} with ${all} weights, ${percent(cut.after)} with ${left}.`;
    pictures.replaceChildren(weightPictures(cut.pictures));
    void draw(cut);
  }

  /** One question at a time; what changed meanwhile is asked next. */
  async function ask(spoken: boolean): Promise<void> {
    again = asking;
    if (asking || lab.config.cut === 0) return;
    asking = true;
    try {
      const cut = await lab.ask<Cut>({ what: 'cut' });
      if (lab.config.cut > 0) show(cut);
      if (spoken) lab.announce(verdict.textContent);
    } catch (error) {
      verdict.textContent = (error as Error).message;
    }
    asking = false;
    answered = performance.now();
    if (again) void ask(true);
  }

  function tell(): void {
    const { cut } = lab.config;
    share.value = String(cut);
    label.textContent = cut === 0 ? 'Cut nothing yet: drag to cut a copy' : `Cut the smallest ${cut} % of the weights`;
    if (cut > 0) return;
    last = undefined;
    verdict.textContent = '';
    pictures.replaceChildren();
    figure.replaceChildren();
  }

  share.addEventListener('input', () => lab.change({ cut: Number(share.value) }));
  tell();
  return {
    root,
    reset() {
      asked = lab.config.cut;
      answered = Number.NEGATIVE_INFINITY;
      verdict.textContent = '';
      tell();
    },
    knobs() {
      if (lab.config.cut === asked) return;
      asked = lab.config.cut;
      tell();
      void ask(true);
    },
    evaluation() {
      if (!asking && performance.now() - answered > REST_MS) void ask(false);
    },
    repaint: () => last !== undefined && show(last),
  };
};
