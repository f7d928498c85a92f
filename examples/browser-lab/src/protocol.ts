import type { Config, knobs } from './config.ts';

/** What acts within a run. */
export type Knobs = Pick<Config, (typeof knobs)[number]>;

/** What the page asks of the worker. */
export type Order =
  | { type: 'start'; home: string; config: Config; resume: boolean; weights?: Uint8Array }
  | { type: 'pause' }
  | { type: 'knobs'; knobs: Knobs }
  | { type: 'ask'; id: number; question: Question };

export type Question = { what: 'export' } | { what: 'cut' } | { what: 'digit'; pixels: Uint8Array } | { what: 'probe' };

/** How far a run is, several times a second. */
export interface Tick {
  readonly step: number;
  readonly epoch: number;
  /** Steps and their losses since the last tick. */
  readonly steps: number[];
  readonly losses: number[];
  readonly flops: number;
  readonly wattHours: number;
  readonly examplesPerSecond: number;
  readonly seconds: number;
}

/** A picture of what the network does; each task has its own. */
export type View =
  | {
      kind: 'plane';
      side: number;
      classes: number;
      scores: Uint8Array;
      points: Float32Array;
      labels: Uint8Array;
      /** Hidden layers, their first neurons: each a map of the plane, as bright as it is lit. */
      layers: { name: string; maps: Uint8Array }[];
      /** Of a neuron's map. */
      small: number;
    }
  | {
      kind: 'digits';
      pixels: Uint8Array;
      answers: number[];
      labels: number[];
      /** Where each left, and what the exits are called. */
      exits: number[];
      names: readonly string[];
      cost: number[];
      full: number;
    }
  | {
      kind: 'patches';
      pixels: Uint8Array;
      answers: number[];
      labels: number[];
      /** Share of the learners that each patch got, image by image, row by row. */
      shares: number[];
      /** Patches in a row. */
      across: number;
      cost: number[];
      full: number;
    }
  | { kind: 'words'; words: string[]; neurons: number[][]; chances: number[][]; says: string }
  | {
      kind: 'text';
      sample: string;
      /** Characters not read before, and what each took: nats, FLOPs. */
      line: string;
      surprise: number[];
      cost: number[];
      full: number;
    };

export interface LayerZeros {
  readonly name: string;
  readonly zeros: number;
  readonly dead: number;
  readonly units: number;
}

/** Some rows and columns of a matrix of weights, as shares of its largest, in -127 … 127. */
export interface WeightPicture {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly before: Int8Array;
  readonly after: Int8Array;
}

export interface Cut {
  readonly before: number;
  readonly after: number;
  readonly weights: number;
  readonly left: number;
  /** Counts of weights by magnitude, before and after. */
  readonly edges: number[];
  readonly counts: number[];
  readonly kept: number[];
  readonly pictures: WeightPicture[];
}

export interface Drawn {
  /** What each exit says, the end last. */
  readonly exits: { name: string; digit: number; sure: number; flops: number }[];
  /** The exit that answers. */
  readonly leaves: number;
}

export interface Advice {
  readonly points: { rate: number; loss: number }[];
  readonly suggestions: { rule: string; rate: number }[];
  readonly rate: number | undefined;
  readonly gradients: number;
}

/** What the worker tells. */
export type Report =
  | { type: 'backend'; name: string; reason: string; threads: string }
  | { type: 'started'; resumedAt: number; parameters: number; metric: string; goal: number }
  | { type: 'tick'; tick: Tick }
  | { type: 'evaluation'; step: number; value: number }
  | { type: 'view'; view: View; layers: LayerZeros[] }
  | { type: 'paused'; step: number; digest: string }
  | { type: 'note'; message: string }
  | { type: 'failed'; message: string }
  | { type: 'answer'; id: number; answer: unknown; error?: string };
