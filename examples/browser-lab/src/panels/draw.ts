import { card, element, percent, short } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { Drawn, View } from '../protocol.ts';
import { drawDigit } from './digit.ts';

const SIDE = 280;

/** The drawing as MNIST has it: 20 × 20 around its middle, in a frame of 28 × 28. */
function pixelsOf(pad: HTMLCanvasElement): Uint8Array | undefined {
  const { data } = pad.getContext('2d')!.getImageData(0, 0, SIDE, SIDE);
  let [left, top, right, bottom] = [SIDE, SIDE, -1, -1];
  let [sum, sumX, sumY] = [0, 0, 0];
  for (let i = 0; i < SIDE * SIDE; i++) {
    const value = data[4 * i]!;
    if (value < 32) continue;
    const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    [sum, sumX, sumY] = [sum + value, sumX + x * value, sumY + y * value];
  }
  if (right < 0) return undefined;
  const scale = 20 / Math.max(right - left + 1, bottom - top + 1);
  const small = new OffscreenCanvas(28, 28);
  const pen = small.getContext('2d')!;
  pen.fillRect(0, 0, 28, 28);
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(pad, 14 - (sumX / sum) * scale, 14 - (sumY / sum) * scale, SIDE * scale, SIDE * scale);
  const shrunk = pen.getImageData(0, 0, 28, 28).data;
  return Uint8Array.from({ length: 784 }, (_, i) => shrunk[4 * i]!);
}

/** Draw a digit, and see while you draw what each exit says and costs. */
export const drawPanel: MakePanel = (lab) => {
  const pad = element('canvas', { class: 'pad', width: SIDE, height: SIDE, role: 'img', 'aria-label': 'Drawing area' });
  const clear = element('button', { type: 'button' }, 'Clear');
  const sample = element('button', { type: 'button', disabled: true }, 'A test digit');
  const table = element('div', {}, element('p', { class: 'hint' }, 'Draw a digit.'));
  const root = card('draw', 'Draw a digit', pad, element('div', { class: 'row' }, sample, clear), table);
  const pen = pad.getContext('2d', { willReadFrequently: true })!;
  pen.fillRect(0, 0, SIDE, SIDE);
  pen.lineCap = 'round';
  pen.lineJoin = 'round';
  pen.lineWidth = 24;
  pen.strokeStyle = '#fff';
  let busy = false;
  let known: Extract<View, { kind: 'digits' }> | undefined;
  let sampled = 0;
  let waiting: { ended: boolean } | undefined;

  function tell(text: string): void {
    table.replaceChildren(element('p', { class: 'hint' }, text));
  }

  function show({ exits, leaves }: Drawn): string {
    const answer = `Answer: ${exits[leaves]!.digit}, for ${short(exits[leaves]!.flops)} FLOPs.`;
    const rows = exits.map(({ name, digit, sure, flops }, i) =>
      element(
        'tr',
        { class: i === leaves ? 'leaves' : undefined },
        element('th', { scope: 'row' }, name),
        element('td', {}, String(digit)),
        element('td', {}, percent(sure)),
        element('td', {}, short(flops)),
      ),
    );
    const head = ['exit', 'says', 'sure', 'FLOPs'].map((name) => element('th', { scope: 'col' }, name));
    table.replaceChildren(
      element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows)),
      element('p', {}, answer),
    );
    return answer;
  }

  /** One question at a time; what was drawn meanwhile is asked next. `ended`: a stroke was. */
  async function ask(ended = false): Promise<void> {
    if (busy) {
      waiting = { ended: ended || waiting?.ended === true };
      return;
    }
    const pixels = pixelsOf(pad);
    if (pixels === undefined) return tell('Draw a digit.');
    busy = true;
    try {
      const answer = show(await lab.ask<Drawn>({ what: 'digit', pixels }));
      if (ended) lab.announce(answer);
    } catch (error) {
      tell((error as Error).message);
    }
    busy = false;
    const next = waiting;
    waiting = undefined;
    if (next !== undefined) void ask(next.ended);
  }

  const place = (event: PointerEvent): [number, number] => {
    const { left, top, width } = pad.getBoundingClientRect();
    return [((event.clientX - left) * SIDE) / width, ((event.clientY - top) * SIDE) / width];
  };
  pad.addEventListener('pointerdown', (event) => {
    pad.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(...place(event));
    pen.lineTo(...place(event));
    pen.stroke();
  });
  pad.addEventListener('pointermove', (event) => {
    if (event.buttons === 0) return;
    pen.lineTo(...place(event));
    pen.stroke();
    void ask();
  });
  pad.addEventListener('pointerup', () => void ask(true));
  clear.addEventListener('click', () => {
    pen.fillRect(0, 0, SIDE, SIDE);
    void ask();
  });
  sample.addEventListener('click', () => {
    if (known === undefined) return;
    const small = element('canvas', { width: 28, height: 28 });
    drawDigit(small, known.pixels, sampled++ % known.labels.length);
    pen.drawImage(small, 0, 0, SIDE, SIDE);
    void ask(true);
  });
  return {
    root,
    view(view) {
      if (view.kind !== 'digits') return;
      known = view;
      sample.disabled = false;
      // Training goes on, and so may the answer.
      void ask();
    },
  };
};
