import { card, colour, element, rgb } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { View } from '../protocol.ts';

type Plane = Extract<View, { kind: 'plane' }>;

const REACH = 1.15;

function penOf(canvas: HTMLCanvasElement | OffscreenCanvas, side: number): CanvasRenderingContext2D {
  if (canvas.width !== side) [canvas.width, canvas.height] = [side, side];
  return canvas.getContext('2d') as CanvasRenderingContext2D;
}

/** A picture of a square plane, from one colour a cell. */
function paint(canvas: HTMLCanvasElement | OffscreenCanvas, side: number, cell: (index: number) => number[]): void {
  const pen = penOf(canvas, side);
  const image = pen.createImageData(side, side);
  for (let i = 0; i < side * side; i++) image.data.set(cell(i), 4 * i);
  pen.putImageData(image, 0, 0);
}

/** The same with one colour, as strong as the map says; many of these are painted at a time. */
function shade(canvas: HTMLCanvasElement | OffscreenCanvas, side: number, ink: number[], map: Uint8Array): void {
  const pen = penOf(canvas, side);
  const image = pen.createImageData(side, side);
  const { data } = image;
  for (let i = 0; i < side * side; i++) {
    for (let channel = 0; channel < 3; channel++) data[4 * i + channel] = ink[channel]!;
    data[4 * i + 3] = map[i]!;
  }
  pen.putImageData(image, 0, 0);
}

/** The plane as the network divides it, or as one of its neurons sees it, and the points that it learns from. */
export const planePanel: MakePanel = () => {
  const canvas = element('canvas', { class: 'plane', width: 480, height: 480, role: 'img' });
  const neurons = element('fieldset', { class: 'neurons' }, element('legend', { class: 'hidden' }, 'Shown above'));
  const root = card('plane', 'What it sees', canvas, neurons);
  let last: Plane | undefined;
  /** Layer and neuron that are shown instead of the network's answer. */
  let chosen = '';
  let pointed = '';
  let thumbs = new Map<string, HTMLCanvasElement>();

  function mapOf(name: string): Uint8Array | undefined {
    const [layer, neuron] = name.split(' ').map(Number);
    const size = last!.small ** 2;
    return name === '' ? undefined : last!.layers[layer!]?.maps.subarray(neuron! * size, (neuron! + 1) * size);
  }

  function draw(): void {
    if (last === undefined) return;
    const { side, classes, scores, points, labels, small } = last;
    const colours = ['a', 'b', 'c'].map((name) => rgb(colour(name)));
    const ink = rgb(colour('accent'));
    const map = mapOf(pointed || chosen);
    const picture = new OffscreenCanvas(side, side);
    if (map !== undefined) shade(picture, small, ink, map);
    else {
      const mixed = (i: number, channel: number): number =>
        colours.reduce((sum, one, c) => sum + (scores[i * classes + c]! / 255) * one[channel]!, 0);
      paint(picture, side, (i) => [mixed(i, 0), mixed(i, 1), mixed(i, 2), 150]);
    }
    const brush = canvas.getContext('2d')!;
    brush.clearRect(0, 0, canvas.width, canvas.height);
    brush.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const ring = colour('card');
    for (let i = 0; i < labels.length; i++) {
      const x = ((points[2 * i]! + REACH) / (2 * REACH)) * canvas.width;
      const y = ((REACH - points[2 * i + 1]!) / (2 * REACH)) * canvas.height;
      brush.beginPath();
      brush.arc(x, y, 5, 0, 2 * Math.PI);
      brush.fillStyle = `rgb(${colours[labels[i]!]!.join(' ')})`;
      brush.strokeStyle = ring;
      brush.lineWidth = 1.5;
      brush.fill();
      brush.stroke();
    }
    for (const [name, thumb] of thumbs) {
      const seen = mapOf(name);
      if (seen !== undefined) shade(thumb, small, ink, seen);
    }
    const shown = pointed || chosen;
    const [layer, neuron] = shown.split(' ').map(Number);
    const what = `where neuron ${neuron! + 1} of ${last.layers[layer!]?.name} lights up`;
    canvas.ariaLabel = `The plane, ${shown === '' ? 'coloured by the arm that the network sees at each place' : what}`;
  }

  /** One radio button for the network's answer and one for each neuron. */
  function lay({ layers, small }: Plane): void {
    thumbs = new Map();
    const choice = (name: string, label: string, ...children: (Node | string)[]): HTMLElement => {
      const radio = element('input', { type: 'radio', name: 'neuron', value: name, 'aria-label': label });
      radio.checked = name === chosen;
      radio.addEventListener('change', () => point('', name));
      const root = element('label', { title: label }, radio, ...children);
      root.addEventListener('pointerenter', ({ pointerType }) => pointerType === 'mouse' && point(name));
      root.addEventListener('pointerleave', () => point(''));
      return root;
    };
    const rows = layers.map(({ name, maps }, layer) => {
      const choices = Array.from({ length: maps.length / small ** 2 }, (_, neuron) => {
        const thumb = element('canvas', { 'aria-hidden': 'true' });
        thumbs.set(`${layer} ${neuron}`, thumb);
        return choice(`${layer} ${neuron}`, `${name}, neuron ${neuron + 1}`, thumb);
      });
      return element('div', {}, element('span', { class: 'hint' }, name), ...choices);
    });
    const all = element('div', {}, choice('', 'The whole network', 'whole network'));
    neurons.replaceChildren(neurons.firstElementChild!, ...rows, all);
  }

  function point(name: string, choose = chosen): void {
    [pointed, chosen] = [name, choose];
    draw();
  }

  return {
    root,
    view(view) {
      if (view.kind !== 'plane') return;
      const sizes = (plane: Plane | undefined) => String(plane?.layers.map(({ maps }) => maps.length));
      const other = sizes(view) !== sizes(last);
      last = view;
      if (other) {
        [pointed, chosen] = ['', ''];
        lay(view);
      }
      draw();
    },
    repaint: draw,
  };
};
