import { card, element, percent, short } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { View } from '../protocol.ts';

const names = ['after the pixels', 'after one layer', 'at the end'];

/** Draws a digit of 28 × 28 bytes. */
export function drawDigit(canvas: HTMLCanvasElement, pixels: Uint8Array, index: number): void {
  const pen = canvas.getContext('2d')!;
  const image = pen.createImageData(28, 28);
  for (let i = 0; i < 784; i++) {
    const value = pixels[index * 784 + i]!;
    image.data.set([value, value, value, 255], 4 * i);
  }
  pen.putImageData(image, 0, 0);
}

/** Test digits, sorted by the exit at which they left the network. */
export const exitsPanel: MakePanel = () => {
  const groups = names.map((name) => {
    const title = element('p', { class: 'hint' }, name);
    const digits = element('div', { class: 'digits' });
    return { title, digits, name };
  });
  const summary = element('p');
  const root = card('exits', 'Who leaves where', summary, ...groups.flatMap(({ title, digits }) => [title, digits]));
  let key = '';

  function show(view: Extract<View, { kind: 'digits' }>): void {
    const now = `${view.exits} ${view.answers}`;
    if (now === key) return;
    key = now;
    const spent = view.cost.reduce((sum, one) => sum + one, 0) / view.cost.length;
    summary.textContent = `On average ${short(spent)} FLOPs a digit instead of ${short(view.full)}: ${percent(Math.abs(1 - spent / view.full), 0)} ${spent <= view.full ? 'saved' : 'more, as nobody leaves yet'}.`;
    for (const [exit, { title, digits, name }] of groups.entries()) {
      const members = view.exits.flatMap((left, i) => (left === exit ? [i] : []));
      title.textContent = `${members.length} leave ${name}`;
      digits.replaceChildren(
        ...members.map((i) => {
          const [said, is] = [view.answers[i], view.labels[i]];
          const label = said === is ? `${said}` : `${is}, taken for ${said}`;
          const canvas = element('canvas', {
            width: 28,
            height: 28,
            role: 'img',
            'aria-label': label,
            title: label,
            class: said === is ? undefined : 'wrong',
          });
          drawDigit(canvas, view.pixels, i);
          return canvas;
        }),
      );
    }
  }

  return {
    root,
    tasks: ['mnist'],
    reset: () => (key = ''),
    view: (view) => view.kind === 'digits' && show(view),
  };
};
