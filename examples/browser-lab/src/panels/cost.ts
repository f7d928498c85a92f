import { card, element, percent, short } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { Tick } from '../protocol.ts';

/** What the run has cost so far, and what it had cost when the task was learnt. */
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
  const goal = element('p', { class: 'hint', id: 'learnt', role: 'status' }, '…');
  const root = card('cost', 'Cost', list, goal);
  let wanted: number | undefined;
  let last: Tick | undefined;
  return {
    root,
    reset(run) {
      for (const cell of Object.values(cells)) cell.textContent = '–';
      [wanted, last] = [run?.goal, undefined];
      goal.className = 'hint';
      goal.textContent = wanted === undefined ? '…' : `Goal: ${percent(wanted, 0)} ${run!.metric}.`;
    },
    tick(tick) {
      last = tick;
      const { step, examplesPerSecond, flops, wattHours } = tick;
      cells.steps!.textContent = (step + 1).toLocaleString('en');
      cells.speed!.textContent = short(examplesPerSecond);
      cells.flops!.textContent = short(flops);
      cells.energy!.textContent = short(wattHours, 'Wh');
    },
    evaluation(step, value) {
      cells.score!.textContent = percent(value);
      if (wanted === undefined || last === undefined || value < wanted) return;
      const { seconds, flops, wattHours } = last;
      goal.textContent = `Learnt: ${percent(value)} after ${step.toLocaleString('en')} steps, in ${seconds.toPrecision(2)} s, for ${short(flops)} FLOPs and ${short(wattHours, 'Wh')}.`;
      goal.className = 'learnt';
      wanted = undefined;
    },
  };
};
