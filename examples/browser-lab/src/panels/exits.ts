import { card, element, percent, short } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { View } from '../protocol.ts';
import { drawDigit } from './digit.ts';

/** Test digits, sorted by the exit at which they left the network. */
export const exitsPanel: MakePanel = () => {
  const summary = element('p');
  const groups = element('div');
  const wrong = element('p', { class: 'hint' }, 'Underlined: taken for another digit.');
  const root = card('exits', 'Who leaves where', summary, groups, wrong);
  let key = '';

  function show(view: Extract<View, { kind: 'digits' }>): void {
    const now = `${view.exits} ${view.answers}`;
    if (now === key) return;
    key = now;
    const spent = view.cost.reduce((sum, one) => sum + one, 0) / view.cost.length;
    const saved = 1 - spent / view.full;
    const verdict = saved >= 0 ? `${percent(saved, 0)} saved` : `${percent(-saved, 0)} more, as nobody leaves yet`;
    summary.textContent = `On average ${short(spent)} FLOPs a digit instead of ${short(view.full)}: ${verdict}.`;
    groups.replaceChildren(
      ...view.names.flatMap((name, exit) => {
        const members = view.exits.flatMap((left, i) => (left === exit ? [i] : []));
        const digits = members.map((i) => {
          const [said, is] = [view.answers[i], view.labels[i]];
          const label = said === is ? `${said}` : `${is}, taken for ${said}`;
          const attributes = {
            role: 'img',
            'aria-label': label,
            title: label,
            class: said === is ? undefined : 'wrong',
          };
          const canvas = element('canvas', { width: 28, height: 28, ...attributes });
          drawDigit(canvas, view.pixels, i);
          return canvas;
        });
        const title = `${members.length} ${members.length === 1 ? 'leaves' : 'leave'} ${name}`;
        return [element('p', { class: 'hint' }, title), element('div', { class: 'digits' }, ...digits)];
      }),
    );
  }

  return {
    root,
    reset: () => (key = ''),
    view: (view) => view.kind === 'digits' && show(view),
  };
};
