import { card, colour, element } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { View } from '../protocol.ts';

const REACH = 1.15;

const rgb = (text: string): number[] => (text.match(/[\d.]+/g) ?? ['0', '0', '0']).slice(0, 3).map(Number);

/** The plane as the network divides it, and the points that it learns from. */
export const planePanel: MakePanel = () => {
  const canvas = element('canvas', {
    class: 'plane',
    width: 480,
    height: 480,
    role: 'img',
    'aria-label': 'The plane, coloured by the arm that the network sees at each place',
  });
  const root = card('plane', 'What it sees', canvas);
  let last: Extract<View, { kind: 'plane' }> | undefined;

  function draw(): void {
    if (last === undefined) return;
    const { side, classes, scores, points, labels } = last;
    const colours = ['a', 'b', 'c'].map((name) => rgb(colour(name)));
    const small = new OffscreenCanvas(side, side);
    const pen = small.getContext('2d')!;
    const image = pen.createImageData(side, side);
    for (let cell = 0; cell < side * side; cell++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let c = 0; c < classes; c++) sum += (scores[cell * classes + c]! / 255) * colours[c]![channel]!;
        image.data[cell * 4 + channel] = sum;
      }
      image.data[cell * 4 + 3] = 150;
    }
    pen.putImageData(image, 0, 0);
    const brush = canvas.getContext('2d')!;
    brush.clearRect(0, 0, canvas.width, canvas.height);
    brush.drawImage(small, 0, 0, canvas.width, canvas.height);
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
  }

  return {
    root,
    view(view) {
      if (view.kind !== 'plane') return;
      last = view;
      draw();
    },
    repaint: draw,
  };
};
