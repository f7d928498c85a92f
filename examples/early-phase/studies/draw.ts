// Draws docs/results/lr-probe-*.svg from docs/results/lr-advice.json, and writes the tables between the marks of lr-probe.md; runs/lr-advice.sh
// ends with it.
import { readFileSync, writeFileSync } from 'node:fs';
import { drawSvg } from '@frugal/lr-probe';
import * as vega from 'vega';
import * as vegaLite from 'vega-lite';
import { tablesOf } from '../study/page.ts';
import { curvesPicture, gapsPicture, pricePicture } from '../study/pictures.ts';
import type { Cases } from '../study/report.ts';

const folder = new URL('../../../docs/results/', import.meta.url);
const read = (url: URL): string => readFileSync(url, 'utf8');
const cases = JSON.parse(read(new URL('lr-advice.json', folder))) as Cases;
const { short, long, lenet } = cases;
const pictures = {
  gaps: gapsPicture(short, 'Seven tasks × three optimizers, 300 steps; the bar is the median'),
  'gaps-long': gapsPicture(long, 'Two small tasks × three optimizers, 1,200 steps'),
  price: pricePicture(short, 'What advice costs, and what it loses'),
  curves: curvesPicture([...short, ...lenet], 'Final loss against the learning rate: the grid, and where advice led'),
  'curves-long': curvesPicture(long, 'The same for runs of 1,200 steps'),
};
for (const [name, picture] of Object.entries(pictures)) {
  writeFileSync(new URL(`lr-probe-${name}.svg`, folder), `${await drawSvg(picture, { vega, vegaLite })}\n`);
}

const page = new URL('lr-probe.md', folder);
const result = JSON.parse(read(new URL('../../runs/results/lr-advice.json', folder))) as Parameters<typeof tablesOf>[1];
const [start, end] = ['<!-- tables: made by runs/lr-advice.sh -->', '<!-- end of tables -->'];
const [before, rest] = read(page).split(start) as [string, string];
writeFileSync(page, `${before}${start}\n\n${tablesOf(cases, result)}\n\n${end}${rest.split(end)[1]!}`);
