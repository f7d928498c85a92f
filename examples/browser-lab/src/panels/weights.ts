import { colour, element, rgb } from '../dom.ts';
import type { WeightPicture } from '../protocol.ts';

function paint(values: Int8Array, rows: number, columns: number): HTMLCanvasElement {
  const canvas = element('canvas', { width: columns, height: rows, 'aria-hidden': 'true' });
  const [below, above] = [rgb(colour('b')), rgb(colour('a'))];
  const pen = canvas.getContext('2d')!;
  const image = pen.createImageData(columns, rows);
  for (const [i, value] of values.entries()) {
    // Square roots: small weights are many, and would hardly be seen.
    image.data.set([...(value < 0 ? below : above), 255 * Math.sqrt(Math.abs(value) / 127)], 4 * i);
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

/** Matrices of weights before and after a cut, side by side. */
export function weightPictures(pictures: readonly WeightPicture[]): HTMLElement {
  const shares = pictures.map(({ before, after }) => after.filter((weight) => weight !== 0).length / before.length);
  const lines = pictures.flatMap(({ name, rows, columns, before, after }, i) => [
    element('span', {}, `${name}, ${Math.round(100 * shares[i]!)} % left`),
    paint(before, rows, columns),
    paint(after, rows, columns),
  ]);
  return element(
    'div',
    { class: 'weights' },
    ...['weights', 'before', 'after'].map((head) => element('b', {}, head)),
    ...lines,
  );
}
