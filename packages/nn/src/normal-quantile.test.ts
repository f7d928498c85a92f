import { expect, it } from 'vitest';
import { normalQuantile } from './normal-quantile.ts';

it('normalQuantile meets tabled values', () => {
  const table: [number, number][] = [
    [0.5, 0],
    [0.841344746068543, 1],
    [0.977249868051821, 2],
    [0.0227501319481792, -2],
    [0.998650101968370, 3],
    [0.001349898031630, -3],
    [0.3, -0.524400512708041],
    [0.975, 1.95996398454005],
  ]; // biome-ignore format: a table
  for (const [p, x] of table) expect(Math.abs(normalQuantile(p) - x)).toBeLessThan(5e-9);
});
