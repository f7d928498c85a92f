import type { Config } from './config.ts';
import type { LayerZeros, Question, Tick, View } from './protocol.ts';

/** What a panel may do to the run. */
export interface Lab {
  readonly config: Config;
  /** Asks the worker about the weights as they are, with the knobs as they are. */
  ask<T>(question: Question): Promise<T>;
  change(change: Partial<Config>): void;
  /** Tells those who do not see the page what came of what they did. */
  announce(text: string): void;
}

/** A part of the page. It gets what concerns it; what it does not need it leaves out. */
export interface Panel {
  readonly root: HTMLElement;
  /** A run is being made, and then begins: what its evaluations measure, and what counts as learnt unless it goes on from before. */
  reset?(run?: { metric: string; goal: number | undefined }): void;
  /** Rate, certainty or cut have changed. */
  knobs?(): void;
  tick?(tick: Tick): void;
  evaluation?(step: number, value: number): void;
  view?(view: View, layers: readonly LayerZeros[]): void;
  /** What belongs into the file of a run. */
  saved?(): object;
  /** Colours have changed. */
  repaint?(): void;
}

export type MakePanel = (lab: Lab) => Panel;
