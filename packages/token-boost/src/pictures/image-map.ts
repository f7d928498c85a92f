import { FrugalError } from '@frugal/tensor';
import { heat, rgb } from './colours.ts';

/** A grey image and what each of its patches got. */
export interface ImageMap {
  /** Grey values in [0, 1], row by row [height · width]. */
  readonly pixels: ArrayLike<number>;
  readonly width: number;
  /** Share of the learners per patch, row by row, as `computeShares` gives them for one example. */
  readonly shares: ArrayLike<number>;
  /** Side of a patch in pixels. */
  readonly patch: number;
}

function sizes({ pixels, width, patch, shares }: ImageMap): { height: number; across: number } {
  const height = pixels.length / width;
  const across = width / patch;
  if (Number.isInteger(height) && Number.isInteger(across) && shares.length === across * (height / patch)) {
    return { height, across };
  }
  throw new FrugalError(
    'BAD_SHAPE',
    `An image of ${pixels.length} pixels, ${width} wide, in patches of ${patch} has not ${shares.length} patches.`,
  );
}

/**
 * Compute per patch over the image, as SVG: the image itself above, its patches coloured by their share below.
 *
 * @throws {FrugalError} `BAD_SHAPE` where shares, patches and pixels do not fit.
 */
export function imageMapSvg(maps: readonly ImageMap[], options: { readonly scale?: number } = {}): string {
  const { scale = 4 } = options;
  const parts: string[] = [];
  let [left, tallest] = [0, 0];
  for (const map of maps) {
    const { height, across } = sizes(map);
    const { width, patch, pixels, shares } = map;
    for (let i = 0; i < pixels.length; i++) {
      const grey = Math.round(255 * Math.min(1, Math.max(0, pixels[i]!)));
      if (grey === 0) continue;
      const [x, y] = [left + (i % width) * scale, Math.floor(i / width) * scale];
      const square = `width="${scale}" height="${scale}" fill="rgb(${grey},${grey},${grey})"`;
      parts.push(`<rect x="${x}" y="${y}" ${square}/>`);
      parts.push(`<rect x="${x}" y="${y + (height + 2) * scale}" ${square}/>`);
    }
    for (let p = 0; p < shares.length; p++) {
      const [x, y] = [left + (p % across) * patch * scale, (height + 2 + Math.floor(p / across) * patch) * scale];
      const side = patch * scale;
      parts.push(
        `<rect x="${x}" y="${y}" width="${side}" height="${side}" fill="${rgb(shares[p]!)}" fill-opacity="0.6"><title>${shares[p]!.toFixed(2)}</title></rect>`,
      );
    }
    left += (width + 2) * scale;
    tallest = Math.max(tallest, (2 * height + 2) * scale);
  }
  const size = `width="${left}" height="${tallest}" viewBox="0 0 ${left} ${tallest}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}><title>Compute per patch</title><rect width="100%" height="100%" fill="black"/>${parts.join('')}</svg>`;
}

const ramp = ' .:-=+*#%@';

/**
 * The same for a terminal: the image in characters, two pixels of height a line; each patch on the colour of its share.
 *
 * @param options `colour` false leaves the colours out and writes the share of each patch as a digit, 0 to 9, in its corner.
 */
export function imageMapText(map: ImageMap, options: { readonly colour?: boolean } = {}): string {
  const { colour = true } = options;
  const { height, across } = sizes(map);
  const { width, patch, pixels, shares } = map;
  const lines: string[] = [];
  for (let y = 0; y < height; y += 2) {
    let line = '';
    for (let x = 0; x < width; x++) {
      const p = Math.floor(y / patch) * across + Math.floor(x / patch);
      const above = pixels[y * width + x]!;
      const value = y + 1 < height ? (above + pixels[(y + 1) * width + x]!) / 2 : above;
      const corner = x % patch === 0 && (y % patch === 0 || (y - 1) % patch === 0);
      const sign = ramp[Math.round(Math.min(1, Math.max(0, value)) * (ramp.length - 1))]!;
      if (!colour) line += corner ? String(Math.min(9, Math.floor(shares[p]! * 10))) : sign;
      else line += `\x1b[48;2;${heat(shares[p]!).join(';')}m\x1b[97m${sign}`;
    }
    lines.push(colour ? `${line}\x1b[0m` : line);
  }
  return lines.join('\n');
}
