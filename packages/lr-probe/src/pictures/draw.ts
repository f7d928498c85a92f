import type { Part } from '../advice/policy.ts';
import type { Recommendation } from '../advice/probe.ts';
import type { Picture } from './specs.ts';

/** What `drawSvg` needs of the libraries Vega and Vega-Lite; pass the modules themselves. */
export interface VegaModules {
  readonly vega: {
    parse(spec: never): unknown;
    readonly View: new (runtime: never, options: never) => { toSVG(): Promise<string>; finalize(): unknown };
  };
  readonly vegaLite: { compile(spec: never): { spec: unknown } };
}

/**
 * Draws a picture as SVG, in Node as in a page.
 *
 *     import * as vega from 'vega';
 *     import * as vegaLite from 'vega-lite';
 *     const svg = await drawSvg(rangeTestPicture(test), { vega, vegaLite });
 */
export async function drawSvg(picture: Picture, { vega, vegaLite }: VegaModules): Promise<string> {
  const { spec } = vegaLite.compile(picture as never);
  const view = new vega.View(vega.parse(spec as never) as never, { renderer: 'none' } as never);
  try {
    // For screen readers one picture with a title, instead of a thousand points with a name each.
    const svg = (await view.toSVG()).replaceAll(/ (?:role|aria-[a-z]+)="[^"]*"/g, '');
    return svg.replace('>', ` role="img"><title>${escaped(titleOf(picture))}</title>`);
  } finally {
    view.finalize();
  }
}

function titleOf({ title }: Picture): string {
  const { text = title } = (title ?? {}) as { text?: unknown };
  return typeof text === 'string' ? text : 'A picture';
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const style = `body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } .rate { font-size: 2rem; font-weight: 600 } .pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1.5rem; margin-top: 2rem }
svg { width: 100%; max-width: 36rem; height: auto } table { border-collapse: collapse } td { padding: .15rem 1rem .15rem 0; vertical-align: top }
td:first-child { color: #666; white-space: nowrap }`;

/**
 * A report of a recommendation as one HTML file that needs nothing else: the rate, why, what it cost, and pictures.
 *
 * @param svgs Drawn by `drawSvg`.
 */
export function reportHtml(advice: Recommendation, svgs: readonly string[], title = 'Learning rate'): string {
  const { rate, warmup, batchSize, steps, parts, policy, cost, grid } = advice;
  const why = ({ confidence, reasons }: Part): string => `${reasons.join(' ')} Confidence: ${confidence}.`;
  const rows: [string, string][] = [
    ['schedule', `${warmup} steps of warm-up to ${rate.toPrecision(3)}, then a cosine to 0 until step ${steps}`],
    ['the rate', why(parts.rate)],
    ['the warm-up', why(parts.warmup)],
    [`batches of ${batchSize ?? '?'}`, why(parts.batchSize)],
    ['found by', policy],
    ['cost', `${cost.gradients} gradients and ${cost.forwards} forward passes, ${(cost.ms / 1000).toFixed(1)} s`],
    ...(grid === undefined
      ? []
      : ([
          [
            'instead of',
            `${grid.runs} full runs of ${(grid.ms / 1000).toFixed(1)} s in all: ${(grid.flops / cost.flops).toFixed(0)} times the FLOPs`,
          ],
        ] as [string, string][])),
  ];
  const table = rows.map(([name, text]) => `<tr><td>${escaped(name)}</td><td>${escaped(text)}</td></tr>`).join('\n');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escaped(title)}</title>
<style>${style}</style>
<h1>${escaped(title)}</h1>
<p class="rate">${escaped(rate.toPrecision(3))}</p>
<table>
${table}
</table>
<div class="pictures">
${svgs.join('\n')}
</div>
</html>
`;
}
