import { formatFlops } from '@frugal/tensor';
import type { CostLine, CostReport, Saving } from './report.ts';

const sign = (value: number): string => (value < 0 ? '−' : '');

function seconds(value: number): string {
  const size = Math.abs(value);
  if (size >= 3600) return `${sign(value)}${(size / 3600).toPrecision(3)} h`;
  if (size >= 1) return `${sign(value)}${size.toPrecision(3)} s`;
  return `${sign(value)}${(1000 * size).toPrecision(3)} ms`;
}

function energy(joules: number): string {
  const wattHours = Math.abs(joules) / 3600;
  if (wattHours >= 1000) return `${sign(joules)}${(wattHours / 1000).toPrecision(3)} kWh`;
  return wattHours >= 0.1
    ? `${sign(joules)}${wattHours.toPrecision(3)} Wh`
    : `${sign(joules)}${(1000 * wattHours).toPrecision(3)} mWh`;
}

const grams = (value: number): string =>
  Math.abs(value) >= 1000 ? `${(value / 1000).toPrecision(3)} kg` : `${value.toPrecision(3)} g`;

/** A cell of the table; what is not known stays empty. */
const cell = (value: number | undefined, show: (value: number) => string): string =>
  value === undefined ? '' : show(value);

const HEADS = ['', 'FLOPs', 'time', 'energy', 'CO2', 'money'];

function cells(line: CostLine, currency: string): string[] {
  return [
    line.by === undefined ? line.what : `${line.what}, by ${line.by}`,
    cell(line.flops, (flops) => `${sign(flops)}${formatFlops(Math.abs(flops))}`),
    cell(line.seconds, seconds),
    cell(line.joules, energy),
    cell(line.gramsCO2, grams),
    cell(line.money, (money) => `${money.toPrecision(3)} ${currency}`),
  ];
}

/** By how much each figure fell. */
function share({ shares }: Saving): string {
  return Object.entries(shares)
    .map(
      ([name, value]) =>
        `${(100 * value).toFixed(1)} % of the ${name === 'flops' ? 'FLOPs' : name === 'joules' ? 'energy' : 'time'}`,
    )
    .join(', ');
}

/** A cost report as lines of text. */
export function formatCostReport({ lines, savings, total, constants, notes }: CostReport): string {
  const { currency } = constants;
  const spent = [...lines, total].map((line) => cells(line, currency));
  const saved = savings.map((line) => [...cells(line, currency), share(line)]);
  const all = [HEADS, ...spent, ...saved];
  const widths = HEADS.map((_, i) => Math.max(...all.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : i < widths.length ? text.padStart(widths[i]!) : text))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [
    line(['spent', ...HEADS.slice(1)]),
    rule,
    ...spent.map(line),
    ...(saved.length > 0 ? ['', line(['saved', ...HEADS.slice(1)]), rule, ...saved.map(line)] : []),
    '',
    ...notes,
  ].join('\n');
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0 2rem}th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid #ddd;white-space:nowrap}
th:first-child,td:first-child{text-align:left;white-space:normal}tr.total td{font-weight:600;border-top:2px solid #888}
.bar{height:.8rem;background:#e6e6e6;border-radius:.4rem;overflow:hidden}.bar i{display:block;height:100%;background:#2a7d4f}
p.note{color:#555;font-size:13px;margin:.2rem 0}@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#333}.bar{background:#333}p.note{color:#aaa}}`;

/** Options of `costReportHtml`. */
export interface CostReportHtmlOptions {
  /** Default `'Cost report'`. */
  title?: string;
}

/**
 * A cost report as one page of HTML that needs nothing else: no script, no font, no address. The report itself is in it as JSON.
 */
export function costReportHtml(report: CostReport, { title = 'Cost report' }: CostReportHtmlOptions = {}): string {
  const { lines, savings, total, constants, notes } = report;
  const row = (line: CostLine, name = 'td', attributes = ''): string =>
    `<tr${attributes}>${cells(line, constants.currency)
      .map((text) => `<${name}>${escaped(text)}</${name}>`)
      .join('')}</tr>`;
  const head = `<tr>${HEADS.map((text) => `<th>${text}</th>`).join('')}</tr>`;
  const bars = savings.map((one) => {
    const [first] = Object.values(one.shares);
    const width = (100 * Math.min(1, Math.max(0, first ?? 0))).toFixed(1);
    return `${row(one)}<tr><td colspan="6"><div class="bar"><i style="width:${width}%"></i></div>${escaped(share(one))}</td></tr>`;
  });
  const json = JSON.stringify(report).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>
<style>${STYLE}</style></head><body><h1>${escaped(title)}</h1>
<h2>Spent</h2><table>${head}${lines.map((line) => row(line)).join('')}${row(total, 'td', ' class="total"')}</table>
${savings.length > 0 ? `<h2>Saved</h2><table>${head}${bars.join('')}</table>` : ''}
${notes.map((note) => `<p class="note">${escaped(note)}</p>`).join('\n')}
<script type="application/json" id="report">${json}</script></body></html>
`;
}
