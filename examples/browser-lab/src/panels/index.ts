import type { Config } from '../config.ts';
import type { MakePanel } from '../panel.ts';
import { costPanel } from './cost.ts';
import { cutPanel } from './cut.ts';
import { lossPanel } from './loss.ts';
import { planePanel } from './plane.ts';
import { ratePanel } from './rate.ts';
import { zerosPanel } from './zeros.ts';

/** A panel's place on the page. */
export interface Place {
  /** Tasks it has something to say about; all if left out. */
  readonly tasks?: readonly Config['task'][];
  /** Views of the task on the left, what all tasks have on the right. */
  readonly column: 'top' | 'left' | 'right';
  /** What the first task does not show comes when it is wanted. */
  load(): Promise<MakePanel>;
}

/** In the order of the page. */
export const places: readonly Place[] = [
  { column: 'top', load: async () => costPanel },
  { column: 'left', tasks: ['spirals'], load: async () => planePanel },
  { column: 'left', tasks: ['ala'], load: async () => (await import('./words.ts')).wordsPanel },
  { column: 'left', tasks: ['text'], load: async () => (await import('./text.ts')).textPanel },
  { column: 'left', tasks: ['mnist'], load: async () => (await import('./exits.ts')).exitsPanel },
  { column: 'left', tasks: ['mnist'], load: async () => (await import('./draw.ts')).drawPanel },
  { column: 'left', tasks: ['patches', 'text'], load: async () => (await import('./compute.ts')).computePanel },
  { column: 'left', load: async () => zerosPanel },
  { column: 'right', load: async () => lossPanel },
  { column: 'right', load: async () => ratePanel },
  { column: 'right', load: async () => cutPanel },
];
