import type { Mnist } from '@frugal/datasets';
import type { ExampleOptions, Io, Target } from '@frugal/example-support';
import type { Recommendation } from '@frugal/lr-probe';
import type { CostEntry } from '@frugal/sparsity-metrics';
import type { Cost, Module, Started, Tree } from '@frugal/tensor';

/** Options of the demo. */
export interface DemoOptions extends ExampleOptions {
  /** `mlp` or `lenet5`. */
  readonly model: string;
}

/** What the chapters of the demo share; each adds to it. */
export interface Story {
  readonly options: DemoOptions;
  readonly io: Io;
  readonly backend: Started;
  readonly mnist: Mnist;
  /** What each chapter promised. */
  readonly targets: Target[];
  /** What each chapter cost, by its title. */
  readonly costs: Map<string, Cost>;
  /** What one chapter or another saved, in words, by its title. */
  readonly savings: Map<string, string>;
  /** What answers cost with a means that saves something, and without it: for the report at the end. */
  readonly ledger: CostEntry[];
  /** The rate that training takes. */
  advice?: Recommendation;
  /** The network of the second chapter; the story frees its parameters at the end. */
  trained?: { readonly model: Module; readonly params: Tree };
}

/** A part of the demo: shows something and asserts it. */
export type Chapter = (story: Story) => Promise<void>;
