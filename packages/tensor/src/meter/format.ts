import type { Cost } from './meter.ts';

function scaled(value: number, units: readonly string[], step: number): string {
  let unit = 0;
  let rest = value;
  while (rest >= step && unit < units.length - 1) {
    rest /= step;
    unit++;
  }
  return `${rest >= 100 || (unit === 0 && Number.isInteger(rest)) ? rest.toFixed(0) : rest.toPrecision(3)} ${units[unit]}`;
}

/** `'2.45 GFLOP'`. */
export function formatFlops(flops: number): string {
  return scaled(flops, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP'], 1000);
}

/** `'1.50 MiB'`. */
export function formatBytes(bytes: number): string {
  return scaled(bytes, ['B', 'KiB', 'MiB', 'GiB', 'TiB'], 1024);
}

function formatMs(ms: number): string {
  return ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${ms.toFixed(ms >= 100 ? 0 : 2)} ms`;
}

function formatWattHours(wattHours: number): string {
  return wattHours >= 0.1 ? `${wattHours.toPrecision(3)} Wh` : `${(wattHours * 1000).toPrecision(3)} mWh`;
}

/**
 * A cost as lines of text: totals, the dearest kernels, kernels without a formula, and how the numbers come about.
 *
 * @param rows How many kernels to list.
 */
export function formatCost(cost: Cost, rows = 10): string {
  const { energy } = cost;
  const about = energy.method === 'estimated' ? '≈' : '';
  const lines = [
    `${formatFlops(cost.flops)}, ${formatBytes(cost.bytes)} moved, ${formatBytes(cost.peakBytes)} at the peak, ${formatMs(cost.ms)}, ` +
      `${about}${formatWattHours(energy.wattHours)}, ${about}${energy.gramsCO2.toPrecision(3)} g CO2`,
  ];
  const width = Math.max(6, ...cost.kernels.slice(0, rows).map(({ kernel }) => kernel.length));
  for (const { kernel, calls, flops, bytes, ms } of cost.kernels.slice(0, rows)) {
    const count = flops === undefined ? '? FLOP' : formatFlops(flops);
    const columns = [
      String(calls).padStart(7),
      count.padStart(12),
      formatBytes(bytes).padStart(10),
      ms === undefined ? '' : formatMs(ms).padStart(11),
    ];
    lines.push(`  ${kernel.padEnd(width)} ${columns.join(' ')}`.trimEnd());
  }
  const left = cost.kernels.length - rows;
  if (left > 0) lines.push(`  and ${left} more`);
  if (cost.unknown.length > 0)
    lines.push(`Without a formula, so not in the sum: ${cost.unknown.join(', ')} (registerFlops).`);
  lines.push(`Counted: ${cost.convention}.`, `Energy ${energy.method}: ${energy.formula}; ${energy.source}.`);
  return lines.join('\n');
}
