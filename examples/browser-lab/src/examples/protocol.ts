import type { ExampleOptions, Target } from '@frugal/example-support';

/** What the page asks of a worker: one example, once. */
export interface RunExample {
  readonly name: string;
  readonly home: string;
  readonly live: boolean;
  readonly options: ExampleOptions;
}

/** What the worker tells. */
export type Word =
  | { type: 'print'; text: string }
  | { type: 'frame'; text: string }
  | { type: 'status'; text: string }
  | { type: 'file'; name: string; text: string }
  | { type: 'done'; targets: readonly Target[] }
  | { type: 'failed'; message: string };
