import { card, element, markedText } from '../dom.ts';
import type { MakePanel } from '../panel.ts';

/** What the model writes, and how much each character of a new line surprises it. */
export const textPanel: MakePanel = () => {
  const sample = element('p', { class: 'writing', id: 'text-sample' });
  const line = element('div', { class: 'writing', role: 'img' });
  const hint = element('p', { class: 'hint' }, 'A line it has not read, coloured by surprise (redder is worse):');
  const root = card('text', 'It writes', sample, hint, line);
  return {
    root,
    view(view) {
      if (view.kind !== 'text') return;
      sample.textContent = view.sample;
      const mark = (i: number) => {
        const nats = view.surprise[i]!;
        return { strength: 0.45 * Math.min(1, nats / 6), title: `${nats.toFixed(2)} nats` };
      };
      line.ariaLabel = `${view.line}: ${(view.surprise.reduce((sum, one) => sum + one, 0) / view.surprise.length).toFixed(2)} nats a character`;
      line.replaceChildren(...markedText(view.line, 'warm', mark));
    },
  };
};
