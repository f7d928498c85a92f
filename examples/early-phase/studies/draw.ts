// Draws docs/results/lr-probe-*.svg from docs/results/lr-advice.json, and writes the tables between the marks of lr-probe.md; runs/lr-advice.sh
// ends with it.
import { drawSvg } from '@frugal/lr-probe';
import * as vega from 'vega';
import * as vegaLite from 'vega-lite';
import { fillPage, readData, writePicture } from '../../../benchmarks/support/page.ts';
import { tablesOf } from '../study/page.ts';
import { curvesPicture, gapsPicture, pricePicture } from '../study/pictures.ts';
import type { Cases } from '../study/report.ts';

const cases = readData<Cases>('lr-advice');
const { short, long, lenet } = cases;
const pictures = {
  gaps: gapsPicture(short, 'Seven tasks × three optimizers, 300 steps; the bar is the median'),
  'gaps-long': gapsPicture(long, 'Two small tasks × three optimizers, 1,200 steps'),
  price: pricePicture(short, 'What advice costs, and what it loses'),
  curves: curvesPicture([...short, ...lenet], 'Final loss against the learning rate: the grid, and where advice led'),
  'curves-long': curvesPicture(long, 'The same for runs of 1,200 steps'),
};
for (const [name, picture] of Object.entries(pictures)) {
  writePicture(`lr-probe-${name}`, `${await drawSvg(picture, { vega, vegaLite })}\n`);
}

const result = readData<Parameters<typeof tablesOf>[1]>('lr-advice', 'runs/results');
fillPage('lr-probe.md', 'tables', tablesOf(cases, result));
