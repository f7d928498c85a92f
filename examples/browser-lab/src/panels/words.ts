import { card, element, percent } from '../dom.ts';
import type { MakePanel } from '../panel.ts';

/** A word lights neurons, lit neurons vote for the next word. */
export const wordsPanel: MakePanel = () => {
  const says = element('p', { class: 'writing' });
  const list = element('div', { class: 'words' });
  const root = card('words', 'Ala ma kota', says, list);
  return {
    root,
    view(view) {
      if (view.kind !== 'words') return;
      says.textContent = `It says: “${view.says}”`;
      const brightest = Math.max(1e-6, ...view.neurons.flat());
      list.replaceChildren(
        ...view.words.map((word, i) => {
          const lamps = view.neurons[i]!.map((light) => {
            const lamp = element('span', { class: 'lamp' });
            lamp.style.background = `color-mix(in srgb, var(--b) ${Math.round((100 * light) / brightest)}%, transparent)`;
            return lamp;
          });
          const next = (i + 1) % view.words.length;
          const chance = view.chances[i]![next]!;
          const label = `${view.words[next]} after ${word}`;
          return element(
            'div',
            {},
            element('strong', {}, `${word} `),
            ...lamps,
            element(
              'div',
              { class: 'bar' },
              element('span', {}, `→ ${view.words[next]}`),
              element('progress', { max: 1, value: chance, 'aria-label': label }),
              element('span', {}, percent(chance, 0)),
            ),
          );
        }),
      );
    },
  };
};
