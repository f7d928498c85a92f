import { card, element, short } from '../dom.ts';
import type { MakePanel } from '../panel.ts';

/** What the run has cost so far. */
export const costPanel: MakePanel = () => {
  const fields = {
    steps: 'steps',
    speed: 'examples/s',
    flops: 'FLOPs',
    energy: 'energy, estimated',
    score: 'now',
  };
  const cells = Object.fromEntries(
    Object.keys(fields).map((name) => [name, element('dd', { id: `cost-${name}` }, '–')]),
  );
  const list = element(
    'dl',
    { class: 'meter' },
    ...Object.entries(fields).map(([name, label]) => element('div', {}, element('dt', {}, label), cells[name]!)),
  );
  const root = card('cost', 'Cost', list);
  root.classList.add('wide');
  return {
    root,
    reset() {
      for (const cell of Object.values(cells)) cell.textContent = '–';
    },
    tick({ step, examplesPerSecond, flops, wattHours }) {
      cells.steps!.textContent = (step + 1).toLocaleString('en');
      cells.speed!.textContent = short(examplesPerSecond);
      cells.flops!.textContent = short(flops);
      cells.energy!.textContent = short(wattHours, 'Wh');
    },
    evaluation(_, value) {
      cells.score!.textContent = `${(100 * value).toFixed(1)} %`;
    },
  };
};
