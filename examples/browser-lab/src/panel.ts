import type { Config } from './config.ts';
import type { LayerZeros, Question, Tick, View } from './protocol.ts';

/** What a panel may do to the run. */
export interface Lab {
  readonly config: Config;
  /** Asks the worker about the weights as they are. */
  ask<T>(question: Question): Promise<T>;
  change(change: Partial<Config>): void;
}

/** A part of the page. It gets what concerns it; what it does not need it leaves out. */
export interface Panel {
  readonly root: HTMLElement;
  reset?(metric?: string): void;
  tick?(tick: Tick): void;
  evaluation?(step: number, value: number): void;
  view?(view: View, layers: readonly LayerZeros[]): void;
  /** Colours have changed. */
  repaint?(): void;
}

export type MakePanel = (lab: Lab) => Panel;
