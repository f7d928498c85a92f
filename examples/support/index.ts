import type { Listener } from '@frugal/core-trainer';
import type { Mnist } from '@frugal/datasets';
import type { MeterOptions, Started } from '@frugal/tensor';

/** The options that every example takes. */
export interface ExampleOptions {
  /** Name of the backend to run on. */
  readonly backend: string;
  /** A short run with a lower target. */
  readonly quick: boolean;
  readonly seed: number;
}

/** What an example needs from where it runs: a terminal, or a page. */
export interface Io {
  /** Starts the backend of this name. */
  start(backend: string): Promise<Started>;
  /** Whether a person watches: pictures may move. */
  readonly live: boolean;
  /** How long the set-up before this program took, in seconds, where that is known. */
  readonly setupSeconds?: number;
  /** How this machine knows about energy. */
  readonly energy: MeterOptions;
  /** A progress bar with the live loss. */
  progress(): Listener;
  print(text: string): void;
  /** Shows a picture in the place of the previous one where the screen can, below it otherwise. */
  frame(text: string): void;
  /** Makes text stand out, where the screen can. */
  paint(text: string, how: 'bright' | 'good' | 'bad' | 'faint'): string;
  /** Gives a person time to look; returns at once where nobody watches. */
  pause(ms: number): Promise<void>;
  /** Keeps a text for the person; says where. */
  save(name: string, text: string): Promise<string>;
  mnist(): Promise<Mnist>;
  /** Moby-Dick. */
  book(): Promise<string>;
}

/** The person asked for something that there is not; the message says what there is. */
export class UsageError extends Error {}

/** One thing that an example promises. */
export interface Target {
  readonly what: string;
  readonly reached: boolean;
  /** The value and what it was to be, in words. */
  readonly verdict: string;
}

/** A target that a figure must not fall below. */
export function atLeast(what: string, value: number, bound: number, show: (value: number) => string = String): Target {
  const reached = value >= bound;
  return { what, reached, verdict: `${show(value)}, target ${show(bound)} or more` };
}

/** A target that a figure must not rise above. */
export function atMost(what: string, value: number, bound: number, show: (value: number) => string = String): Target {
  const reached = value <= bound;
  return { what, reached, verdict: `${show(value)}, target ${show(bound)} or less` };
}

/** A share as a percentage. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

/** A program that a person can run: returns whether it kept its promises. */
export type Example<O extends ExampleOptions = ExampleOptions> = (options: O, io: Io) => Promise<readonly Target[]>;

/** A whole number with commas. */
export function count(value: number): string {
  return value.toLocaleString('en');
}
