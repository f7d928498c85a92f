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
  /** What the first task does not show comes when it is wanted. */
  load(): Promise<MakePanel>;
}

/** In the order of the page. */
export const places: readonly Place[] = [
  { load: async () => costPanel },
  { tasks: ['spirals'], load: async () => planePanel },
  { tasks: ['ala'], load: async () => (await import('./words.ts')).wordsPanel },
  { tasks: ['text'], load: async () => (await import('./text.ts')).textPanel },
  { tasks: ['mnist'], load: async () => (await import('./exits.ts')).exitsPanel },
  { tasks: ['patches', 'text'], load: async () => (await import('./compute.ts')).computePanel },
  { load: async () => lossPanel },
  { tasks: ['mnist'], load: async () => (await import('./draw.ts')).drawPanel },
  { tasks: ['spirals', 'mnist', 'ala', 'text'], load: async () => zerosPanel },
  { load: async () => cutPanel },
  { load: async () => ratePanel },
];
