import { costReport, formatCostReport, spentOf } from '@frugal/sparsity-metrics';
import type { Story } from '../story.ts';

/** The last chapter: what all of it cost, and what was saved by which means. */
export async function costChapter({ io, costs, ledger, savings }: Story): Promise<void> {
  const metered = [...costs.values()];
  const sources = [...new Set(metered.map(({ energy }) => `${energy.method}, ${energy.source}`))];
  const report = costReport([...[...costs].map(([what, cost]) => ({ what, spent: spentOf(cost) })), ...ledger], {
    energySource: sources.join('; '),
  });
  io.print('\nWhat it cost, and what was saved\n');
  io.print(formatCostReport(report));
  const told = new Set(ledger.map(({ by }) => by));
  for (const [title, words] of savings) if (!told.has(title)) io.print(`${title}: ${words}`);
}
