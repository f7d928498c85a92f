import { card, element } from '../dom.ts';
import type { MakePanel } from '../panel.ts';

/** What the model writes, and how much each character of a new line surprises it. */
export const textPanel: MakePanel = () => {
  const sample = element('p', { class: 'writing', id: 'text-sample' });
  const line = element('p', { class: 'writing' });
  const hint = element(
    'p',
    { class: 'hint' },
    'A line it has not read, coloured by surprise in nats (redder is worse):',
  );
  const root = card('text', 'It writes', sample, hint, line);
  return {
    root,
    tasks: ['text'],
    view(view) {
      if (view.kind !== 'text') return;
      sample.textContent = view.sample;
      line.replaceChildren(
        ...[...view.line].map((character, i) => {
          const nats = view.surprise[i]!;
          const place = element('span', { title: `${nats.toFixed(2)} nats` }, character === '\n' ? '⏎' : character);
          place.style.background = `color-mix(in srgb, var(--warm) ${Math.round(Math.min(1, nats / 6) * 45)}%, transparent)`;
          return place;
        }),
      );
    },
  };
};
