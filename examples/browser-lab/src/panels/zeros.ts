import { card, element, percent } from '../dom.ts';
import type { MakePanel } from '../panel.ts';

/** Which share of the activations is zero, layer by layer. */
export const zerosPanel: MakePanel = () => {
  const bars = element('div');
  const hint = element('p', { class: 'hint' }, 'Behind ReLU much is zero: work that a sparse machine would not do.');
  const root = card('zeros', 'Zero activations', bars, hint);
  return {
    root,
    view(_, layers) {
      bars.replaceChildren(
        ...layers.map(({ name, zeros, dead, units }) =>
          element(
            'div',
            { class: 'bar', title: `${dead} of ${units} units never light up here` },
            element('span', {}, name),
            element('progress', { max: 1, value: zeros, 'aria-label': `zeros in ${name}` }),
            element('span', {}, percent(zeros, 0)),
          ),
        ),
      );
    },
  };
};
