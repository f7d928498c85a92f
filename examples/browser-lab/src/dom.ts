type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** An element with attributes and children; undefined and false leave an attribute out. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : String(value));
  }
  made.append(...children);
  return made;
}

/** A panel: a card with a heading. */
export function card(id: string, title: string, ...children: (Node | string)[]): HTMLElement {
  const heading = element('h2', { id: `${id}-title` }, title);
  return element('section', { id, class: 'panel', 'aria-labelledby': `${id}-title` }, heading, ...children);
}

/** The value of a colour of the page, for canvases and charts. */
export function colour(name: string): string {
  const probe = element('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** A chart as one picture with one name, instead of names for its parts that screen readers cannot place. */
export function picture(chart: Element): Element {
  chart.role = 'img';
  for (const part of chart.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
  return chart;
}

/** Red, green and blue of a colour as `colour` gives it. */
export const rgb = (text: string): number[] => (text.match(/[\d.]+/g) ?? ['0', '0', '0']).slice(0, 3).map(Number);

export const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)} %`;

/** A number with a unit's prefix, e.g. 1.3 M. */
export function short(value: number, unit = ''): string {
  const steps: [number, string][] = [
    [1e15, 'P'],
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
    [1, ''],
    [1e-3, 'm'],
    [1e-6, 'µ'],
  ];
  const [size, prefix] = steps.find(([least]) => Math.abs(value) >= least) ?? [1, ''];
  return `${(value / size).toPrecision(3)} ${prefix}${unit}`.trim();
}

/** How a character is marked. */
export interface Mark {
  /** In [0, 1]. */
  readonly strength: number;
  readonly title: string;
}

/** A text whose characters stand on a colour of the page, each as strong as it is told. */
export function markedText(text: string, colourName: string, mark: (index: number) => Mark): HTMLElement[] {
  return [...text].map((character, i) => {
    const { strength, title } = mark(i);
    const place = element('span', { title }, character === '\n' ? '⏎' : character);
    place.style.background = `color-mix(in srgb, var(--${colourName}) ${Math.round(100 * strength)}%, transparent)`;
    return place;
  });
}

/** Hands the person a file. */
export function download(name: string, content: BlobPart, type: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
