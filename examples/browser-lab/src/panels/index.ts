import type { MakePanel } from '../panel.ts';
import { computePanel } from './compute.ts';
import { costPanel } from './cost.ts';
import { cutPanel } from './cut.ts';
import { drawPanel } from './draw.ts';
import { exitsPanel } from './exits.ts';
import { lossPanel } from './loss.ts';
import { planePanel } from './plane.ts';
import { ratePanel } from './rate.ts';
import { textPanel } from './text.ts';
import { wordsPanel } from './words.ts';
import { zerosPanel } from './zeros.ts';

/** In the order of the page. */
export const panels: readonly MakePanel[] = [
  costPanel,
  planePanel,
  wordsPanel,
  textPanel,
  exitsPanel,
  computePanel,
  lossPanel,
  drawPanel,
  zerosPanel,
  cutPanel,
  ratePanel,
];
