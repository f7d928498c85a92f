import { rates } from '../config.ts';
import { card, colour, element, picture } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { Advice } from '../protocol.ts';

/** The learning-rate range test on a copy, and what it advises. */
export const ratePanel: MakePanel = (lab) => {
  const go = element('button', { type: 'button' }, 'Probe the learning rate');
  const take = element('button', { type: 'button', disabled: true }, 'Use it');
  const verdict = element('p', { 'aria-live': 'polite' });
  const figure = element('div');
  const root = card('rate', 'Learning rate', element('div', { class: 'row' }, go, take), verdict, figure);
  let advised: number | undefined;

  async function show({ points, suggestions, rate, gradients }: Advice): Promise<void> {
    advised =
      rate &&
      rates.reduce((best, one) => (Math.abs(Math.log(one / rate)) < Math.abs(Math.log(best / rate)) ? one : best));
    take.disabled = advised === undefined;
    verdict.textContent =
      rate === undefined
        ? 'The loss falls nowhere: train a little, and try again.'
        : `The loss falls best near ${rate.toPrecision(2)}; the nearest setting is ${advised}. It took ${gradients} steps of a copy.`;
    const Plot = await import('@observablehq/plot');
    const finite = points.filter(({ loss }) => Number.isFinite(loss));
    const lowest = Math.min(...finite.map(({ loss }) => loss));
    const chart = Plot.plot({
      width: Math.max(240, figure.clientWidth),
      height: 190,
      style: { background: 'transparent', color: colour('ink') },
      x: { type: 'log', label: 'learning rate', tickFormat: '~e', ticks: 5 },
      y: {
        label: 'loss',
        grid: true,
        domain: [lowest * 0.95, Math.max(finite[0]!.loss * 1.3, lowest * 1.2)],
        clamp: true,
      },
      marks: [
        Plot.line(finite, { x: 'rate', y: 'loss', stroke: colour('b'), strokeWidth: 2 }),
        Plot.ruleX(suggestions, { x: 'rate', stroke: colour('a') }),
        Plot.text(suggestions, {
          x: 'rate',
          text: 'rule',
          frameAnchor: 'top',
          dx: 4,
          textAnchor: 'start',
          rotate: 90,
          fill: colour('a'),
        }),
      ],
      ariaLabel: 'Loss against learning rate',
    });
    figure.replaceChildren(picture(chart));
  }

  go.addEventListener('click', async () => {
    go.disabled = true;
    verdict.textContent = 'Probing …';
    try {
      await show(await lab.ask<Advice>({ what: 'probe' }));
    } catch (error) {
      verdict.textContent = (error as Error).message;
    }
    go.disabled = false;
  });
  take.addEventListener('click', () => advised !== undefined && lab.change({ rate: advised }));
  return {
    root,
    reset() {
      verdict.textContent = '';
      figure.replaceChildren();
      take.disabled = true;
    },
  };
};
