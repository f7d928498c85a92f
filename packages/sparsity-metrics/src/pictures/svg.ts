/** Text as it may stand in SVG. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);

/** Colours that the colour-blind can tell apart (Okabe and Ito), with grey and brown. */
export const COLOURS: readonly string[] = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#555555',
  '#8c564b',
];

/** Coordinates with a tenth of a pixel. */
export const px = (value: number): string => String(Math.round(10 * value) / 10);

export const textAt = (x: number, y: number, text: string, more = ''): string =>
  `<text x="${px(x)}" y="${px(y)}"${more && ` ${more}`}>${escaped(text)}</text>`;

/** A whole picture on white, as pages of either colour scheme show it; the title is for those who hear it. */
export const picture = (title: string, width: number, height: number, parts: readonly string[]): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${px(width)} ${px(height)}" width="${px(width)}" height="${px(height)}" ` +
  `font-family="sans-serif" font-size="11"><title>${escaped(title)}</title><rect width="100%" height="100%" fill="#fff"/>\n${parts.join('\n')}\n</svg>\n`;
