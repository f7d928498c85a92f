import { FrugalError } from '@frugal/tensor';
import { escapeXml, heat, rgb } from './colours.ts';

function check(pieces: readonly string[], shares: ArrayLike<number>): void {
  if (pieces.length === shares.length) return;
  throw new FrugalError(
    'BAD_SHAPE',
    `There are ${pieces.length} pieces of text and ${shares.length} shares. Give one each.`,
  );
}

const shown = (piece: string): string => piece.replaceAll('\n', '⏎').replaceAll('\t', ' ');

/**
 * Compute per character (or token) over a text, as SVG: each piece on the colour of its share.
 *
 * @param pieces The text of each token.
 * @param shares As `computeShares` gives them for one example.
 * @throws {FrugalError} `BAD_SHAPE` unless there are as many shares as pieces.
 */
export function textMapSvg(
  pieces: readonly string[],
  shares: ArrayLike<number>,
  options: { readonly columns?: number } = {},
): string {
  check(pieces, shares);
  const { columns = 72 } = options;
  const [wide, high] = [9, 20];
  const parts: string[] = [];
  let [column, row] = [0, 0];
  for (const [t, piece] of pieces.entries()) {
    const text = shown(piece);
    const length = [...text].length;
    if (column + length > columns && column > 0) [column, row] = [0, row + 1];
    const [x, y] = [column * wide, row * high];
    const dark = shares[t]! < 0.6;
    parts.push(
      `<rect x="${x}" y="${y}" width="${length * wide}" height="${high}" fill="${rgb(shares[t]!)}"><title>${shares[t]!.toFixed(2)}</title></rect>`,
      `<text x="${x}" y="${y + 15}" fill="${dark ? 'white' : 'black'}" xml:space="preserve">${escapeXml(text)}</text>`,
    );
    column += length;
    if (piece.includes('\n')) [column, row] = [0, row + 1];
  }
  const size = `width="${columns * wide}" height="${(row + 1) * high}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="monospace" font-size="15"><title>Compute per token</title>${parts.join('')}</svg>`;
}

/** The same for a terminal; without colour the shares stand below the text as digits, 0 to 9, line by line. */
export function textMapText(
  pieces: readonly string[],
  shares: ArrayLike<number>,
  options: { readonly colour?: boolean } = {},
): string {
  check(pieces, shares);
  if (options.colour ?? true) {
    const painted = pieces.map((piece, t) => {
      const ink = shares[t]! < 0.6 ? 97 : 30;
      return `\x1b[48;2;${heat(shares[t]!).join(';')}m\x1b[${ink}m${shown(piece)}\x1b[0m${piece.includes('\n') ? '\n' : ''}`;
    });
    return painted.join('');
  }
  let [text, digits] = ['', ''];
  const lines: string[] = [];
  for (const [t, piece] of pieces.entries()) {
    text += shown(piece);
    digits += String(Math.min(9, Math.floor(shares[t]! * 10))).repeat([...shown(piece)].length);
    if (!piece.includes('\n') && t < pieces.length - 1) continue;
    lines.push(text, digits);
    [text, digits] = ['', ''];
  }
  return lines.join('\n');
}
