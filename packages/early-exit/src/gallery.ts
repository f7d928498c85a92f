import { exitsOf, type ScoredTable } from './exit-table.ts';

/** An example and where it left. */
export interface GalleryItem {
  readonly index: number;
  readonly exit: number;
  /** At the exit where it left; at the last early exit for those who went to the end. */
  readonly score: number;
}

/** The examples that a network with exits found easiest and hardest, each list from the extreme inwards. */
export interface Gallery {
  readonly easiest: readonly GalleryItem[];
  readonly hardest: readonly GalleryItem[];
}

/** Images by number: `pixels(index)` has `height` · `width` brightnesses, row by row. */
export interface GalleryImages {
  readonly width: number;
  readonly height: number;
  pixels(index: number): ArrayLike<number>;
  /** The brightness that is drawn white; 0 is black. Default 255. */
  readonly white?: number;
  /** Written below an image. Default: the exit. */
  caption?(item: GalleryItem): string;
}

/**
 * Picks the examples that left first with the highest scores, and those that went furthest with the lowest.
 *
 * @param count How many of each.
 */
export function pickGallery(table: ScoredTable, thresholds: readonly number[], count = 10): Gallery {
  const exits = exitsOf(table, thresholds);
  const items = Array.from(exits, (exit, index): GalleryItem => {
    const column = table.scores[Math.min(exit, table.scores.length - 1)];
    return { index, exit, score: column?.[index] ?? 0 };
  });
  items.sort((a, b) => a.exit - b.exit || b.score - a.score || a.index - b.index);
  return { easiest: items.slice(0, count), hardest: items.slice(-count).reverse() };
}

const SIZE = 56;
const GAP = 8;

/** The gallery as an SVG picture: a row of the easiest, a row of the hardest; it may stand in a page or a file. */
export function gallerySvg(gallery: Gallery, images: GalleryImages): string {
  const rows = [
    ['Easiest', gallery.easiest],
    ['Hardest', gallery.hardest],
  ] as const;
  const height = SIZE + 30;
  const columns = Math.max(...rows.map(([, items]) => items.length), 1);
  const [wide, high] = [90 + columns * (SIZE + GAP), rows.length * height + GAP];
  const parts = rows.map(([title, items], r) => {
    const top = GAP + r * height;
    const pictures = items.map((item, i) => {
      const left = 90 + i * (SIZE + GAP);
      const text = escaped(images.caption?.(item) ?? `exit ${item.exit}`);
      return (
        `<image x="${left}" y="${top}" width="${SIZE}" height="${SIZE}" style="image-rendering:pixelated" href="${bitmap(images, item.index)}"/>` +
        `<text x="${left + SIZE / 2}" y="${top + SIZE + 14}" text-anchor="middle">${text}</text>`
      );
    });
    return `<text x="${GAP}" y="${top + SIZE / 2 + 4}" font-weight="bold">${title}</text>${pictures.join('')}`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${wide} ${high}" width="${wide}" height="${high}" font-family="sans-serif" font-size="11">` +
    `<title>The easiest and the hardest</title><rect width="100%" height="100%" fill="#fff"/>${parts.join('')}</svg>\n`
  );
}

/** The gallery for a terminal: two pixels to a character cell. */
export function galleryText(gallery: Gallery, images: GalleryImages): string {
  const lines: string[] = [];
  for (const [title, items] of [
    ['easiest', gallery.easiest],
    ['hardest', gallery.hardest],
  ] as const) {
    lines.push(title);
    const pictures = items.map(({ index }) => cells(images, index));
    for (let line = 0; line < Math.ceil(images.height / 2); line++) {
      lines.push(
        pictures
          .map((picture) => picture[line]!)
          .join('  ')
          .trimEnd(),
      );
    }
    const captions = items.map((item) => (images.caption?.(item) ?? `exit ${item.exit}`).slice(0, images.width));
    lines.push(
      captions
        .map((caption) => caption.padEnd(images.width))
        .join('  ')
        .trimEnd(),
    );
  }
  return lines.join('\n');
}

function brightness({ white = 255 }: GalleryImages, value: number): number {
  return Math.min(1, Math.max(0, value / white));
}

/** Half blocks where a pixel is bright. */
function cells(images: GalleryImages, index: number): string[] {
  const { width, height } = images;
  const pixels = images.pixels(index);
  const bright = (y: number, x: number): boolean => y < height && brightness(images, pixels[y * width + x]!) > 0.4;
  return Array.from({ length: Math.ceil(height / 2) }, (_, line) =>
    Array.from({ length: width }, (__, x) => {
      const [upper, lower] = [bright(2 * line, x), bright(2 * line + 1, x)];
      if (upper && lower) return '█';
      return upper ? '▀' : lower ? '▄' : ' ';
    }).join(''),
  );
}

/** A picture as a data address: BMP of 24 bits, which every viewer reads and needs no compressor. */
function bitmap(images: GalleryImages, index: number): string {
  const { width, height } = images;
  const pixels = images.pixels(index);
  const stride = Math.ceil((3 * width) / 4) * 4;
  const bytes = new Uint8Array(54 + stride * height);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, 54, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // Rows go from the bottom up.
      const at = 54 + (height - 1 - y) * stride + 3 * x;
      bytes.fill(Math.round(255 * brightness(images, pixels[y * width + x]!)), at, at + 3);
    }
  }
  return `data:image/bmp;base64,${btoa(String.fromCharCode(...bytes))}`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
