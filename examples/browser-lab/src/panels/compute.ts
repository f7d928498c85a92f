import { card, element, markedText, percent, short } from '../dom.ts';
import type { MakePanel } from '../panel.ts';
import type { View } from '../protocol.ts';
import { drawDigit } from './digit.ts';

type Patches = Extract<View, { kind: 'patches' }>;
type Text = Extract<View, { kind: 'text' }>;

/** The characters that cost most. */
function dearest(line: string, cost: readonly number[]): string {
  const order = [...line].map((character, i) => ({ character, cost: cost[i]! })).sort((a, b) => b.cost - a.cost);
  return order
    .slice(0, 5)
    .map(({ character }) => `“${character}”`)
    .join(', ');
}

/** Where compute went: over the patches of digits, over the characters of a line. */
export const computePanel: MakePanel = () => {
  const summary = element('p');
  const map = element('div');
  const legend = element(
    'p',
    { class: 'hint legend' },
    'less ',
    element('span', { class: 'ramp', 'aria-hidden': 'true' }),
    ' more compute',
  );
  const wrong = element('p', { class: 'hint', hidden: true }, 'Underlined: taken for another digit.');
  const root = card('compute', 'Where compute goes', summary, map, legend, wrong);

  /** What was spent on average, beside what it would have been without choosing. */
  function tell(cost: readonly number[], full: number, what: string): void {
    const spent = cost.reduce((sum, one) => sum + one, 0) / cost.length;
    const saved = 1 - spent / full;
    const verdict = saved >= 0 ? `${percent(saved, 0)} saved` : `${percent(-saved, 0)} more`;
    summary.textContent = `On average ${short(spent)} FLOPs a ${what} instead of ${short(full)}: ${verdict}.`;
  }

  function showPatches({ pixels, answers, labels, shares, across, cost, full }: Patches): void {
    tell(cost, full, 'digit');
    const each = across * across;
    map.className = 'maps';
    map.role = null;
    wrong.hidden = false;
    map.replaceChildren(
      ...cost.map((flops, i) => {
        const [said, is] = [answers[i], labels[i]];
        const label = `${said === is ? said : `${is}, taken for ${said}`}: ${percent(flops / full, 0)} of the compute`;
        const digit = element('canvas', { width: 28, height: 28 });
        drawDigit(digit, pixels, i);
        const cells = Array.from({ length: each }, (_, patch) => {
          const cell = element('span');
          cell.style.opacity = String(0.75 * shares[i * each + patch]!);
          return cell;
        });
        const attributes = { class: said === is ? 'map' : 'map wrong', role: 'img', 'aria-label': label, title: label };
        return element('div', attributes, digit, element('div', { class: 'cells' }, ...cells));
      }),
    );
  }

  function showText({ line, cost, full }: Text): void {
    tell(cost, full, 'character');
    const most = Math.max(...cost);
    map.className = 'writing';
    wrong.hidden = true;
    // One picture for those who listen, instead of a letter at a time.
    map.role = 'img';
    map.ariaLabel = `${line}: compute by character, most at ${dearest(line, cost)}`;
    map.replaceChildren(
      ...markedText(line, 'b', (i) => ({
        strength: 0.75 * (cost[i]! / most),
        title: `${short(cost[i]!)} FLOPs, ${percent(cost[i]! / full, 0)} of the plain network`,
      })),
    );
  }

  return {
    root,
    reset() {
      summary.textContent = '';
      map.replaceChildren();
    },
    view(view) {
      if (view.kind === 'patches') showPatches(view);
      if (view.kind === 'text') showText(view);
    },
  };
};
