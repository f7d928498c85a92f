import type { Tree } from '@frugal/tensor';
import type { GradientNoise } from '../noise/running.ts';
import type { CriticalRate } from '../probes/critical-rate.ts';
import type { Miniature } from '../probes/miniature.ts';
import type { RangeTest } from '../probes/range-test.ts';
import type { OptimizerFactory, ProbeCost, ProbeOptions, Problem } from '../problem.ts';

/** How sure a piece of advice is. */
export type Confidence = 'high' | 'medium' | 'low';

/** What advice rests on. */
export interface Evidence {
  readonly critical?: CriticalRate;
  readonly miniatures?: readonly Miniature[];
  readonly rangeTest?: RangeTest;
  /** At the end of the miniature runs at the best rate and next to it. */
  readonly noise?: readonly GradientNoise[];
}

/** A recommended number with why, and how sure. */
export interface Part {
  /** Undefined where nothing speaks for any. */
  readonly value: number | undefined;
  readonly confidence: Confidence;
  readonly reasons: readonly string[];
}

/** What a policy has to say. */
export interface Advice {
  /** The peak of the schedule. */
  readonly rate: number;
  readonly confidence: Confidence;
  /** Why this rate and this confidence, in sentences. */
  readonly reasons: readonly string[];
  readonly evidence: Evidence;
  readonly cost: ProbeCost;
}

/** What a policy is told about the run to come. */
export interface PolicyOptions extends ProbeOptions {
  readonly optimizer: OptimizerFactory;
  /** Steps of the run. */
  readonly steps: number;
}

/** A way to find a learning rate; `probe` takes any. */
export interface Policy {
  readonly name: string;
  /** @throws {ProbeError} Where it finds none. */
  advise<P extends Tree, B>(problem: Problem<P, B>, options: PolicyOptions): Promise<Advice>;
}
