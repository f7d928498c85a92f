import { type JvpCoverage, KernelName, listJvpRules } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { cases } from './cases/index.ts';

/** The names of all kernels: those that tfjs declares, and ours. */
export function kernelNames(): string[] {
  const declared = Object.entries(tf).filter(([name, value]) => typeof value === 'string' && /^[A-Z_]/.test(name));
  // OP_SCOPE_SUFFIX is no kernel.
  const names = declared.map(([, value]) => value as string).filter((name) => name !== tf.OP_SCOPE_SUFFIX);
  return [...new Set([...names, ...Object.values(KernelName)])].sort();
}

/** The cases of the rule tests that go through a kernel. */
export function casesOf(kernel: string): number {
  return cases.filter(({ kernels }) => kernels.includes(kernel)).length;
}

function row({ kernel, kind, many, note }: JvpCoverage): string[] {
  const code = `\`${kernel}\``;
  if (kind === undefined) return [code, 'none', '', '', note ?? ''];
  if (kind === 'zero') return [code, kind, '', '', note ?? ''];
  return [code, kind, many ? 'together' : 'one by one', String(casesOf(kernel)), note ?? ''];
}

/** A Markdown table as the formatter likes it. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((cells) => cells[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}

export const START = '<!-- The table is written by tests/autodiff/write-features.ts. -->';
export const END = '<!-- End of the table. -->';

/** The table of docs/autodiff.md. */
export function features(): string {
  return table(['kernel', 'rule', 'many directions', 'tested by', 'note'], listJvpRules().map(row));
}

/** The page with its table replaced. */
export function withTable(page: string): string {
  const [from, to] = [page.indexOf(START), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error('docs/autodiff.md has lost the marks of its table.');
  return `${page.slice(0, from + START.length)}\n\n${features()}\n\n${page.slice(to)}`;
}
