import type { LayerUsage } from '../usage.ts';
import { escapeXml, rgb } from './colours.ts';

/** Tokens by their number of learners, one group of bars a layer, as SVG. */
export function histogramSvg(layers: readonly LayerUsage[]): string {
  const [high, bar, gap] = [100, 22, 24];
  let left = gap;
  const parts: string[] = [];
  for (const { path, histogram, meanLearners } of layers) {
    const total = histogram.reduce((a, b) => a + b, 0);
    const start = left;
    for (const [k, count] of histogram.entries()) {
      const length = (high * count) / total;
      const y = (20 + high - length).toFixed(1);
      const fill = rgb(k / (histogram.length - 1));
      parts.push(
        `<rect x="${left}" y="${y}" width="${bar - 2}" height="${length.toFixed(1)}" fill="${fill}" stroke="black" stroke-width="0.5"><title>${count}</title></rect>`,
        `<text x="${left + bar / 2 - 1}" y="${high + 34}" text-anchor="middle">${k}</text>`,
      );
      left += bar;
    }
    const name = `${path || 'layer'}: ${meanLearners.toFixed(2)}`;
    parts.push(`<text x="${start}" y="${high + 50}">${escapeXml(name)}</text>`);
    left = Math.max(left, start + 7 * name.length) + gap;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left}" height="${high + 60}" font-family="monospace" font-size="11"><title>Tokens by their number of learners</title>${parts.join('')}</svg>`;
}

/** The same for a terminal: a line per layer and number. */
export function histogramText(layers: readonly LayerUsage[], options: { readonly width?: number } = {}): string {
  const { width = 40 } = options;
  const lines: string[] = [];
  for (const { path, histogram, meanLearners } of layers) {
    const total = histogram.reduce((a, b) => a + b, 0);
    lines.push(`${path || 'layer'}, ${meanLearners.toFixed(2)} of ${histogram.length - 1} learners`);
    for (const [k, count] of histogram.entries()) {
      const share = count / total;
      lines.push(
        `  ${k} ${'█'.repeat(Math.round(share * width)).padEnd(width)} ${(100 * share).toFixed(1).padStart(5)} %`,
      );
    }
  }
  return lines.join('\n');
}
